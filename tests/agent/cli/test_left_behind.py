"""What a run leaves behind, on the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.agent.cli.conftest import Sluice

PIPELINE = r"""
steps:
- checkout: none
- bash: |
    mkdir out; echo hello > out/a.txt; printf '# Hi\n\033[31mred\n' > s.md
    echo '##vso[task.uploadsummary]s.md'
    echo '##vso[build.addbuildtag]release'
    echo '##vso[task.logdetail id=11111111-1111-1111-1111-111111111111;name=Part one;type=x]working'
    echo '##vso[task.logissue type=warning]careful'
  name: Make
- publish: out
  artifact: drop
- task: Cache@2
  inputs: {key: a | b, path: out}
"""


@pytest.fixture
def ran(sluice: Sluice) -> Sluice:
    (sluice.folder / "azure-pipelines.yml").write_text(PIPELINE)
    sluice("run", "--non-interactive")
    return sluice


def test_a_run_is_shown_with_what_it_left_behind(ran: Sluice) -> None:
    shown = ran("runs", "show", "1")
    for line in (
        "Tags: release",
        "Artifact drop: 1 file, 6 B",
        "Details of Job.Make\n  Part one: InProgress 0% (working)",
        "1 summary: see them with --summary",
    ):
        assert line in shown
    data = json.loads(ran("runs", "show", "1", "--output", "json"))
    assert data["tags"] == ["release"]
    assert [one["name"] for one in data["artifacts"]] == ["drop"]
    assert data["details"][0]["name"] == "Part one"
    (issue,) = [issue for record in data["records"] for issue in record["issues"]]
    logs = json.loads(ran("runs", "logs", "1", "--output", "json"))
    lines = {line["line"]: line["text"] for line in logs[0]["lines"]}
    assert lines[int(issue["data"]["logFileLineNumber"])] == "##[warning]careful"


def test_summaries_are_shown_without_steering_the_terminal(ran: Sluice) -> None:
    assert ran("runs", "show", "1", "--summary").splitlines() == [
        "=== Job.Make: s.md",
        "# Hi",
        "\N{REPLACEMENT CHARACTER}[31mred",
    ]


def test_runs_are_listed_by_their_tags(ran: Sluice) -> None:
    assert len(json.loads(ran("runs", "list", "--tag", "Release", "--output", "json"))) == 1
    assert ran("runs", "list", "--tag", "release", "--tag", "other") == "No runs have these tags.\n"


def test_artifacts_and_attachments_are_downloaded(ran: Sluice) -> None:
    assert "drop  PipelineArtifact  1" in ran("runs", "artifacts", "1")
    assert (
        ran("runs", "artifacts", "1", "--download", "DROP", "--to", "to")
        == f"Downloaded 'drop' (1 file) to {Path('to/drop')}\n"
    )
    assert (ran.folder / "to" / "drop" / "a.txt").read_text() == "hello\n"
    assert "there is no artifact 'dorp' (it has 'drop')" in ran(
        "runs", "artifacts", "1", "--download", "dorp", status=2
    )
    assert "Job.Make  DistributedTask.Core.Summary  s.md" in ran("runs", "attachments", "1")
    ran("runs", "attachments", "1", "--download", "s.md", "--to", "to")
    assert (ran.folder / "to" / "Job.Make" / "s.md").read_text().startswith("# Hi")
    assert "there is no attachment 'x'" in ran("runs", "attachments", "1", "--download", "x", status=2)
    for command in ("artifacts", "attachments"):
        assert "there is no run 7" in ran("runs", command, "7", status=2)


def test_caches_are_listed_and_cleared(ran: Sluice) -> None:
    (cache,) = json.loads(ran("cache", "list", "--output", "json"))
    assert (cache["key"], cache["size"], cache["run"]) == ("a|b", 6, 1)
    assert "Removed 1 cache" in ran("cache", "clear")
    assert ran("cache", "list") == "There are no caches.\n"
    assert "there is no pipeline 'none'" in ran("cache", "clear", "--pipeline", "none", status=2)


PUBLISHES = """
steps:
- checkout: none
- bash: mkdir out; seq 1 9000000 > out/large; echo small > out/small
- publish: out
  artifact: drop
  name: Publish
- download: current
  artifact: drop
- bash: cd $(Pipeline.Workspace); cmp drop/large $(Build.SourcesDirectory)/out/large && cat drop/small
"""


def test_publishing_goes_on_where_a_kill_interrupted_it(sluice: Sluice) -> None:
    (sluice.folder / "azure-pipelines.yml").write_text(PUBLISHES)

    def blobs() -> dict[str, int]:
        return {file.name: file.stat().st_ino for file in sluice.home.glob("content/*/*") if len(file.name) == 64}

    arguments = [sys.executable, "-m", "sluice", "run", "--non-interactive"]
    with subprocess.Popen(
        arguments, env=sluice.environment, cwd=sluice.folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as run:
        while len(blobs()) < 2:
            assert run.poll() is None
        run.kill()
    before = blobs()
    sluice("resume", "1", "--non-interactive", status=1)
    assert "small" in sluice("retry", "1", "--from", "Job.Publish", "--non-interactive")
    after = blobs()
    assert len(after) > len(before)
    assert after.items() >= before.items()
    assert "drop  PipelineArtifact  2" in sluice("runs", "artifacts", "1")
