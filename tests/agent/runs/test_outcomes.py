from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import ExitCode
from sluice.runs.outcomes import exit_code, forgiven, roll_up
from sluice.runtime.request import Result


@pytest.mark.parametrize(
    ("children", "parent"),
    [
        ([], "Succeeded"),
        (["Succeeded", "Skipped"], "Succeeded"),
        (["Skipped", "Skipped"], "Skipped"),
        (["Succeeded", "SucceededWithIssues"], "SucceededWithIssues"),
        (["SucceededWithIssues", "Failed", "Canceled"], "Failed"),
        (["Canceled", "Failed"], "Canceled"),
        (["Abandoned"], "Failed"),
    ],
)
def test_results_add_up_as_documented(children: list[str], parent: str) -> None:
    assert roll_up(children) == parent


@given(st.lists(st.sampled_from(list(Result))))
def test_a_parent_succeeds_only_if_no_child_went_wrong(children: list[Result]) -> None:
    wrong = {Result.FAILED, Result.CANCELED, Result.ABANDONED}
    assert (roll_up(children) in wrong) == bool(wrong & set(children))


def test_an_error_that_is_forgiven_is_an_issue() -> None:
    assert forgiven(Result.FAILED) is Result.SUCCEEDED_WITH_ISSUES
    assert forgiven(Result.CANCELED) is Result.CANCELED


@pytest.mark.parametrize(
    ("result", "code"),
    [
        ("Succeeded", ExitCode.SUCCEEDED),
        ("SucceededWithIssues", ExitCode.SUCCEEDED),
        ("Skipped", ExitCode.SUCCEEDED),
        ("Failed", ExitCode.FAILED),
        ("Canceled", ExitCode.CANCELED),
    ],
)
def test_the_exit_status_tells_the_result(result: str, code: ExitCode) -> None:
    assert exit_code(result) is code
