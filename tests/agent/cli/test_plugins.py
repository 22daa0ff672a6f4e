"""`sluice plugins list`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice


@pytest.fixture
def broken(sluice: Sluice, tmp_path: Path) -> None:
    """A distribution beside ours whose plugins are broken."""
    site = tmp_path / "site"
    info = site / "acme_depot-2.1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-depot\nVersion: 2.1\n")
    (info / "entry_points.txt").write_text("[sluice]\nbad = acme_bad\nodd = acme_odd\n")
    (site / "acme_bad.py").write_text("import nothing_of_that_name\n")
    (site / "acme_odd.py").write_text("from sluice.plugin import hookimpl\n@hookimpl\ndef sluice_famly(): ...\n")
    sluice.real = True  # plugins are found once in a process
    sluice.environment["PYTHONPATH"] = str(site)


def test_the_bundled_plugins_are_loaded_with_distribution_and_version(sluice: Sluice) -> None:
    plugins = {plugin["name"]: plugin for plugin in sluice.json("plugins", "list")}
    for name in ("generic", "ssh"):
        assert plugins[name]["state"] == "loaded"
        assert plugins[name]["distribution"] == "sluicegate"
        assert plugins[name]["version"]
        assert plugins[name]["hooks"] == ["sluice_family"]


def test_broken_plugins_are_listed_with_the_reason_and_the_rest_works(sluice: Sluice, broken: None) -> None:
    plugins = {plugin["name"]: plugin for plugin in sluice.json("plugins", "list")}
    assert plugins["bad"]["state"] == plugins["odd"]["state"] == "broken"
    assert "nothing_of_that_name" in plugins["bad"]["problem"]
    assert "did you mean 'sluice_family'?" in plugins["odd"]["problem"]
    assert (plugins["bad"]["distribution"], plugins["bad"]["version"]) == ("acme-depot", "2.1")
    assert plugins["ssh"]["state"] == "loaded"
    sluice.create()
    assert "broken" in sluice("plugins", "list")


def test_disabled_plugins_are_listed_as_such(sluice: Sluice) -> None:
    sluice.real = True  # plugins are found once in a process
    sluice.environment["SLUICE_DISABLE_PLUGINS"] = "ssh"
    assert "disabled" in sluice("plugins", "list")
    assert "no connection type 'ssh'" in sluice("connection", "types", "ssh", status=2)
