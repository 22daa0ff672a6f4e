"""The examples are pipelines that compile, and documents that apply."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sluice.cli.main import sluice

ROOT = Path(__file__).parents[1]
PIPELINES = sorted([*ROOT.glob("examples/*/*pipelines.yml"), *ROOT.glob("agent/sluice/cli/demo/*.yml")])
DOCUMENTS = sorted(ROOT.glob("examples/*/connections.yml"))


@pytest.mark.parametrize("file", PIPELINES, ids=lambda file: file.parent.name)
def test_the_example_pipelines_compile(file: Path) -> None:
    assert sluice.main(["validate", str(file)], standalone_mode=False) == 0


@pytest.mark.parametrize("file", DOCUMENTS, ids=lambda file: file.parent.name)
def test_the_example_connections_apply(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    assert not sluice.main(["connection", "apply", str(file)], standalone_mode=False)


def test_there_are_examples() -> None:
    assert len(PIPELINES) >= 2
    assert DOCUMENTS


REASONS = {
    "permitted": "permitted for this pipeline within stages Test",
    "missing": "mend it: sluice connection create biuld-host --type ssh",
    "disabled": "mend it: sluice connection update old-host --enable",
    "wrong-type": "mend it: sluice connection create tickets-ssh --type ssh",
    "outside-limits": "mend it: sluice connection permit build-host --pipeline explain --stage Test --stage Deploy",
    "not-authorized": "mend it: sluice connection permit production --pipeline explain",
    "run-time-name": "mend it: sluice run azure-pipelines.yml --permit NAME",
}


def test_explain_tells_six_reasons_apart_each_with_its_place_and_what_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "explain"
    shutil.copytree(ROOT / "examples" / "explain", folder)
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(folder)
    for command in ("connection apply connections.yml", "authorization apply permissions.yml --yes"):
        sluice.main(command.split(), standalone_mode=False)
    capsys.readouterr()
    sluice.main(["explain", "--output", "json"], standalone_mode=False)
    stages = json.loads(capsys.readouterr().out)["stages"]
    needs = [need for stage in stages for need in stage["needs"]]
    assert [need["state"] for need in needs] == list(REASONS)
    assert all(need["where"].startswith("azure-pipelines.yml:") and need["input"] == "sshEndpoint" for need in needs)
    sluice.main(["explain"], standalone_mode=False)
    shown = capsys.readouterr().out
    for state, told in REASONS.items():
        assert f"    {state}: " in shown
        assert told in shown
    sluice.main(["explain", "--branch", "refs/pull/7/merge"], standalone_mode=False)
    assert "untrusted-ref: The service connection 'build-host' is not given to this run" in capsys.readouterr().out
