"""Results of tests become part of the run."""

from __future__ import annotations

import json

import pytest
from tests.agent.runs.conftest import Bench, Outcome

from sluice.storage import attachments, test_results
from sluice.storage.test_results import TestRunRow

GOOD = '<testsuite><testcase name="a" time="1"/></testsuite>'
BAD = '<testsuite><testcase name="b"><failure message="not so">s3cr3t-value</failure></testcase></testsuite>'


def _run(bench: Bench, *more: str, **inputs: str) -> Outcome:
    task = json.dumps({"task": "PublishTestResults@2", "inputs": inputs})
    script = (
        f"bash: |\n    mkdir d; echo '{GOOD}' > d/TEST-a.xml; echo '{BAD}' > d/TEST-b.xml; echo no > d/TEST-c.txt\n"
    )
    steps = "".join(f"- {step}\n" for step in (script, *(more or (task,))))
    return bench.run_pipeline(f"steps:\n- checkout: none\n{steps}")


def _tests(bench: Bench, outcome: Outcome) -> list[TestRunRow]:
    with bench.database.read() as transaction:
        return test_results.of_run(transaction, outcome.run.id)


def _issues(outcome: Outcome) -> list[str]:
    return [str(issue["message"]) for record in outcome.records for issue in record.issues]


def test_each_file_is_a_test_run_of_its_own(bench: Bench) -> None:
    outcome = _run(bench, testRunTitle="Unit", platform="x64", configuration="Debug")
    assert outcome.run.result == "Succeeded", _issues(outcome)
    found = _tests(bench, outcome)
    assert [(one.title, one.total, one.passed, one.failed) for one in found] == [
        ("Unit_1", 1, 1, 0),
        ("Unit_2", 1, 0, 1),
    ]
    assert found[1].failures == ({"name": "b", "message": "not so", "details": "s3cr3t-value"},)
    assert (found[0].seconds, found[0].platform, found[0].configuration) == (1, "x64", "Debug")
    with bench.database.read() as transaction:
        names = [one.name for one in attachments.of_run(transaction, outcome.run.id)]
    assert names == ["TEST-a.xml", "TEST-b.xml"]


def test_merged_they_are_one_and_failures_may_fail_the_step(bench: Bench) -> None:
    outcome = _run(bench, mergeTestResults="true", failTaskOnFailedTests="true", publishRunAttachments="false")
    assert outcome.run.result == "Failed"
    assert "There are one or more test failures detected in result files." in _issues(outcome)[0]
    (found,) = _tests(bench, outcome)
    assert (found.title, found.total, found.failed) == ("JUnit_TestResults_1", 2, 1)


@pytest.mark.parametrize(
    ("inputs", "result", "text"),
    [
        ({"testResultsFiles": "none/*.xml"}, "Succeeded", "No test result files matching none/*.xml were found."),
        ({"testResultsFiles": "x", "failTaskOnMissingResultsFile": "true"}, "Failed", "No test result files"),
        ({"testResultsFiles": "d/*.txt"}, "Succeeded", "Failed to read"),
        ({"testResultsFiles": "d/*.txt", "failTaskOnFailureToPublishResults": "true"}, "Failed", "Failed to read"),
        ({"searchFolder": "nowhere"}, "Failed", "Not found searchFolder"),
    ],
)
def test_files_that_are_missing_or_broken_are_told(
    bench: Bench, inputs: dict[str, str], result: str, text: str
) -> None:
    outcome = _run(bench, **inputs)
    assert outcome.run.result == result
    assert text in _issues(outcome)[0]


def test_the_logging_command_publishes_too_and_keeps_no_secret(bench: Bench) -> None:
    command = "##vso[results.publish type=JUnit;resultFiles=d/TEST-a.xml,d/TEST-b.xml;runTitle=R]"
    outcome = _run(bench, f"bash: |\n    echo '##vso[task.setsecret]s3cr3t-value'\n    echo '{command}'\n")
    assert outcome.run.result == "Succeeded", _issues(outcome)
    (found,) = _tests(bench, outcome)
    assert (found.title, found.total) == ("R", 2)
    assert found.failures[0]["details"] == "***"
    for line in ("type=JUnit]none.xml", "type=JUnit]", "resultFiles=a]"):
        failed = _run(bench, f"bash: echo '##vso[results.publish {line}'")
        assert failed.run.result == "Failed"
