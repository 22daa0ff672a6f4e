"""Publishes results of tests for a running step: what PublishTestResults and `results.publish` share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.publishing import attach, keeper_of
from sluice.runtime.keeping import FailedTest, TestRun
from sluice.runtime.step_scope import StepScope
from sluice.runtime.testresults.formats import Case, ResultFileError, read
from sluice.values import dataclass

MAX_FAILURES = 200
"""How many failed tests are kept of one test run."""

MAX_MESSAGE = 4_000
MAX_DETAILS = 16_000
"""Characters that are kept of what a failed test said."""

ATTACHMENT = "TestResults"
FAILED = (
    "There are one or more test failures detected in result files. "
    "Detailed summary of published test results can be viewed in the Tests tab."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How results are published; `title` is '' for one made of the runner's name and the run's number."""

    runner: str
    title: str = ""
    merge: bool = False
    platform: str = ""
    configuration: str = ""
    attach: bool = True
    fail_on_failures: bool = False
    fail_on_trouble: bool = False


def publish_results(scope: StepScope, files: Sequence[Path], wanted: Wanted) -> None:
    """Read result files and keep what they say; a file that cannot be read is a warning, unless it is to fail the step."""
    found: list[tuple[Path, list[Case]]] = []
    for file in files:
        try:
            found.append((file, read(file, wanted.runner)))
        except ResultFileError as error:
            if wanted.fail_on_trouble:
                raise TaskFailedError(str(error)) from error
            scope.issue("warning", str(error))
    title = wanted.title or f"{wanted.runner}_TestResults_{scope.job.request.run_id}"
    if wanted.merge and found:
        found = [(found[0][0], [case for _, cases in found for case in cases])]
    for index, (_, cases) in enumerate(found, start=1):
        _keep(scope, cases, wanted, title if len(found) == 1 else f"{title}_{index}")
    if wanted.attach:
        _attach(scope, files)
    if any(case.outcome == "failed" for _, cases in found for case in cases):
        if wanted.fail_on_failures:
            raise TaskFailedError(FAILED)
        scope.say(f"##[warning]{FAILED}")


def _keep(scope: StepScope, cases: Sequence[Case], wanted: Wanted, title: str) -> None:
    outcomes = [case.outcome for case in cases]
    masked = scope.masked
    run = TestRun(
        title=masked(title),
        runner=wanted.runner,
        total=len(cases),
        passed=outcomes.count("passed"),
        failed=outcomes.count("failed"),
        skipped=outcomes.count("skipped"),
        seconds=sum(case.seconds for case in cases),
        platform=masked(wanted.platform),
        configuration=masked(wanted.configuration),
        failures=tuple(_failed(scope, case) for case in cases if case.outcome == "failed")[:MAX_FAILURES],
    )
    keeper_of(scope).add_tests(scope.job.request, scope.step, run)
    counts = f"{run.passed} passed, {run.failed} failed, {run.skipped} skipped"
    scope.say(f"Published test run '{title}': {run.total} tests, {counts}")


def _failed(scope: StepScope, case: Case) -> FailedTest:
    return FailedTest(
        name=scope.masked(case.name)[:MAX_MESSAGE],
        message=scope.masked(case.message)[:MAX_MESSAGE],
        details=scope.masked(case.details)[:MAX_DETAILS],
    )


def _attach(scope: StepScope, files: Sequence[Path]) -> None:
    for file in files:
        attach(scope, file, ATTACHMENT, scope.masked(file.name))
