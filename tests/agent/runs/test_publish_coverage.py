"""Coverage becomes part of the run."""

from __future__ import annotations

import json

import pytest
from tests.agent.runs.conftest import Bench, Outcome

from sluice.runs.left_behind import content
from sluice.storage import artifacts, attachments
from sluice.storage.blobs import Blobs

COBERTURA = '<coverage lines-valid="10" lines-covered="8" branches-valid="4" branches-covered="1"/>'
OLD = '<coverage line-rate="0.5"><class><lines><line hits="3"/><line hits="0"/></lines></class></coverage>'
JACOCO = '<report><package><counter type="LINE" missed="9" covered="9"/></package><counter type="LINE" missed="1" covered="3"/></report>'


def _run(bench: Bench, *steps: str) -> Outcome:
    files = {"c.xml": COBERTURA, "old.xml": OLD, "j.xml": JACOCO, "bad.xml": "<html/>"}
    script = "\n".join(f"echo '{text}' > {name}" for name, text in files.items())
    made = json.dumps({"bash": f"{script}\nmkdir report; touch report/index.html"})
    return bench.run_pipeline("steps:\n- checkout: none\n" + "".join(f"- {step}\n" for step in (made, *steps)))


def _task(version: int = 2, **inputs: str) -> str:
    return json.dumps({"task": f"PublishCodeCoverageResults@{version}", "inputs": inputs})


def _summary(bench: Bench, outcome: Outcome) -> list[str]:
    with bench.database.read() as transaction:
        (row,) = attachments.of_run(transaction, outcome.run.id, "DistributedTask.Core.Summary")
    return content(Blobs(bench.home.content), row, 1000).decode().splitlines()[2:]


def _issues(outcome: Outcome) -> list[str]:
    return [str(issue["message"]) for record in outcome.records for issue in record.issues]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("c.xml", ["- Lines: 80.0% (8 of 10)", "- Branches: 25.0% (1 of 4)"]),
        ("old.xml", ["- Lines: 50.0% (1 of 2)"]),
        ("j.xml", ["- Lines: 75.0% (3 of 4)"]),
        ("[co]*.xml", ["- Lines: 75.0% (9 of 12)", "- Branches: 25.0% (1 of 4)"]),
    ],
)
def test_lines_and_branches_are_counted(bench: Bench, file: str, told: list[str]) -> None:
    outcome = _run(bench, _task(summaryFileLocation=file))
    assert outcome.run.result == "Succeeded", _issues(outcome)
    assert _summary(bench, outcome) == told


def test_the_report_is_an_artifact(bench: Bench) -> None:
    task = _task(1, summaryFileLocation="c.xml", reportDirectory="report", additionalCodeCoverageFiles="j.xml")
    command = (
        "bash: echo '##vso[codecoverage.publish codecoveragetool=Cobertura;summaryfile=c.xml;reportdirectory=report]'"
    )
    for step, names in (
        (task, ["Code Coverage Files_1", "Code Coverage Report_1"]),
        (command, ["Code Coverage Report_2"]),
    ):
        outcome = _run(bench, step)
        assert outcome.run.result == "Succeeded", _issues(outcome)
        with bench.database.read() as transaction:
            assert [one.name for one in artifacts.of_run(transaction, outcome.run.id)] == names


@pytest.mark.parametrize(
    ("step", "result", "text"),
    [
        (_task(summaryFileLocation="none.xml"), "Succeeded", "No code coverage results were found"),
        (_task(summaryFileLocation="none.xml", failIfCoverageEmpty="true"), "Failed", "No code coverage results"),
        (_task(summaryFileLocation="bad.xml"), "Failed", "neither Cobertura's nor JaCoCo's"),
        (_task(1, summaryFileLocation="c.xml", reportDirectory="none"), "Failed", "Not found reportDirectory"),
        ("bash: echo '##vso[codecoverage.publish summaryfile=c.xml]'", "Failed", "Unable to process command"),
    ],
)
def test_what_cannot_be_published_is_told(bench: Bench, step: str, result: str, text: str) -> None:
    outcome = _run(bench, step)
    assert outcome.run.result == result
    assert text in _issues(outcome)[0]
