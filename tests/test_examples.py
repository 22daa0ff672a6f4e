"""The examples are pipelines that compile, and documents that apply."""

from __future__ import annotations

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
