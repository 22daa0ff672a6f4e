from __future__ import annotations

import pytest

from sluice.language.expressions import DependencyStatus, Phase, StepStatus


@pytest.mark.parametrize("status", [None, "", "Succeeded", "succeededwithissues", "Failed", "Canceled", "Skipped"])
def test_a_step_goes_by_the_status_of_its_job(status: str | None) -> None:
    asked = StepStatus(status)
    word = (status or "Succeeded").lower()
    assert asked.phase is Phase.STEP_CONDITION
    assert asked.canceled is (word == "canceled")
    assert asked.failed() is (word == "failed")
    assert asked.succeeded() is (word in {"succeeded", "succeededwithissues"})
    assert asked.succeeded_or_failed() is (word in {"succeeded", "succeededwithissues", "failed"})


def test_a_name_that_is_no_dependency_neither_succeeded_nor_failed() -> None:
    status = DependencyStatus(results={"A": "Succeeded"})
    assert not status.succeeded(["a", "x"])
    assert not status.failed(["x"])
    assert status.succeeded(["a"])


def test_without_names_every_dependency_counts() -> None:
    status = DependencyStatus(results={"A": "Failed", "B": "Succeeded"})
    assert (status.failed(), status.succeeded(), status.succeeded_or_failed()) == (True, False, True)
    assert status.succeeded(["B"])


def test_nothing_has_succeeded_once_the_run_is_canceled() -> None:
    status = DependencyStatus(results={"A": "Succeeded"}, canceled=True)
    assert (status.canceled, status.succeeded(), status.succeeded(["A"]), status.succeeded_or_failed()) == (
        True,
        False,
        False,
        False,
    )
