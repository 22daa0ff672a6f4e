"""`sluice plugins new` writes a plugin that works as it is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.cli.plugins_new import install_line

if TYPE_CHECKING:
    from tests.agent.cli.conftest import Sluice


def put_beside(sluice: Sluice, plugin: Path, name: str) -> None:
    """What an installation comes to: its folder on the path, with the entry point that its pyproject.toml names."""
    info = plugin / f"sluice_{name.replace('-', '_')}-0.1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: sluice-{name}\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[sluice]\n{name} = sluice_{name.replace('-', '_')}\n")
    sluice.environment["PYTHONPATH"] = str(plugin)
    sluice.real = True  # plugins are found once in a process


def test_its_own_tests_pass_and_it_is_used_at_once(sluice: Sluice, tmp_path: Path) -> None:
    made = sluice.json("plugins", "new", "acme-depot", "--label", "Acme depot")
    plugin = Path(made["folder"])
    assert plugin == (tmp_path / "sluice-acme-depot").resolve()
    assert sorted(str(path.relative_to(plugin)) for path in plugin.rglob("*") if path.is_file()) == made["files"]
    put_beside(sluice, plugin, "acme-depot")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=plugin,
        env=sluice.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert "failed" not in done.stdout
    assert "skipped" not in done.stdout
    listed = {one["name"]: one for one in sluice.json("plugins", "list")}
    assert (listed["acme-depot"]["state"], listed["acme-depot"]["distribution"]) == ("loaded", "sluice-acme-depot")
    assert "Acme depot" in sluice("connection", "types", "acme-depot")
    sluice("validate", str(plugin / "example" / "azure-pipelines.yml"))


def test_what_it_writes_is_typed_and_tidy(sluice: Sluice, tmp_path: Path) -> None:
    sluice("plugins", "new", "depot", "--to", "there")
    for file in (tmp_path / "there").rglob("*.py"):
        compile(file.read_text(), str(file), "exec")
    left = [file for file in (tmp_path / "there").rglob("*") if file.is_file() and "@LABEL@" in file.read_text()]
    assert left == []
    assert (tmp_path / "there" / "sluice_depot" / "py.typed").exists()


@pytest.mark.parametrize("name", ["Depot", "9depot", "a--b", "a_b", "-x", "../x", "a" * 41, "é", "class"])
def test_a_name_that_cannot_be_is_refused(sluice: Sluice, name: str) -> None:
    before = sorted(sluice.folder.iterdir())
    assert "such as" in sluice("plugins", "new", "--", name, status=2)
    assert sorted(sluice.folder.iterdir()) == before


@pytest.mark.parametrize("name", ["ssh", "jenkins"])
def test_a_name_that_is_taken_is_refused(sluice: Sluice, name: str) -> None:
    assert "already" in sluice("plugins", "new", name, status=2)


@pytest.mark.parametrize("label", ['a"b', "a`b", "a@b", "a\\b", "a\x1bb"])
def test_a_label_that_would_break_the_files_is_refused(sluice: Sluice, label: str) -> None:
    assert "label" in sluice("plugins", "new", "depot", "--label", label, status=2)


def test_what_is_there_is_left_alone(sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "sluice-depot").mkdir()
    (tmp_path / "sluice-depot" / "mine.txt").write_text("mine")
    assert "not empty" in sluice("plugins", "new", "depot", status=2)
    assert [one.name for one in (tmp_path / "sluice-depot").iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(
    ("origin", "line"),
    [
        (None, "pip install -e '.[test]'"),
        ('{"url": "https://example.org/sluice.whl", "archive_info": {}}', "pip install -e '.[test]'"),
        ('{"url": "file:///src/sluice", "dir_info": {"editable": true}}', "pip install /src/sluice -e '.[test]'"),
        ('{"url": "file:///my%20src/sluice", "dir_info": {}}', "pip install '/my src/sluice' -e '.[test]'"),
    ],
)
def test_a_plugin_is_installed_with_the_sluice_that_wrote_it(origin: str | None, line: str) -> None:
    assert install_line(origin) == line
