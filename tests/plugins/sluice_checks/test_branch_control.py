from __future__ import annotations

import fnmatch
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doubles.check_runs import evaluation, judged

from sluice.hooks.checks import LinkedRepository
from sluice_checks._branch_control import matches
from sluice_checks._types import BRANCH_CONTROL as KIND

MAIN = LinkedRepository(alias="self", name="release", branch="refs/heads/main")
TOOLS = LinkedRepository(alias="tools", name="octo/tools", branch="refs/heads/topic/x")


def test_all_linked_repositories_are_looked_at() -> None:
    settings = {"allowedBranches": "refs/heads/main, refs/heads/releases/*"}
    decision = KIND.evaluate(evaluation(KIND, settings, repositories=(MAIN, TOOLS)))
    assert decision.outcome == "rejected"
    assert (
        decision.message == "'tools' (octo/tools) is at 'refs/heads/topic/x', which is not among the allowed branches"
    )
    assert KIND.evaluate(evaluation(KIND, settings, repositories=(MAIN,))).outcome == "approved"


def test_a_branch_that_is_not_known_is_allowed_only_by_a_star() -> None:
    unknown = (LinkedRepository(alias="app"),)
    decision = KIND.evaluate(evaluation(KIND, {"allowedBranches": "refs/heads/*"}, repositories=unknown))
    assert (decision.outcome, decision.message) == ("rejected", "the branch of 'app' is not known")
    assert KIND.evaluate(evaluation(KIND, {}, repositories=unknown)).outcome == "approved"


def test_without_linked_repositories_the_branch_of_the_run_counts() -> None:
    settings = {"allowedBranches": "refs/heads/main"}
    assert KIND.evaluate(evaluation(KIND, settings, branch="refs/heads/main")).outcome == "approved"
    assert KIND.evaluate(evaluation(KIND, settings, branch="refs/heads/topic")).outcome == "rejected"
    assert KIND.evaluate(evaluation(KIND, settings)).outcome == "rejected"


@pytest.mark.parametrize(
    ("branch", "protected", "allowing", "outcome"),
    [
        ("refs/heads/main", True, "false", "approved"),
        ("refs/heads/main", False, "false", "rejected"),
        ("refs/heads/main", False, "true", "rejected"),
        ("refs/heads/main", None, "false", "rejected"),
        ("refs/heads/main", None, "true", "approved"),
        ("refs/pull/7/merge", None, "true", "rejected"),
        ("", None, "false", "rejected"),
        ("", None, "true", "approved"),
    ],
)
def test_protection_is_wanted_where_the_check_says_so(
    branch: str, protected: bool | None, allowing: str, outcome: str
) -> None:
    settings = {"ensureProtectionOfBranch": "true", "allowUnknownStatusBranch": allowing}
    repositories = (LinkedRepository(alias="self", branch=branch, protected=protected),)
    assert KIND.evaluate(evaluation(KIND, settings, repositories=repositories)).outcome == outcome
    assert KIND.evaluate(evaluation(KIND, {}, repositories=repositories)).outcome == "approved"


def test_many_reasons_are_told_in_short() -> None:
    many = tuple(LinkedRepository(alias=f"r{number}", branch="refs/heads/x") for number in range(50))
    decision = KIND.evaluate(evaluation(KIND, {"allowedBranches": "refs/heads/main"}, repositories=many))
    assert decision.message.endswith("; and 45 more")


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("main", "refs/heads/main"), (" , ", "names no branch"), ("refs/heads/main,release/*", "refs/heads/release/*")],
)
def test_names_that_match_no_branch_are_refused(pattern: str, said: str) -> None:
    (problem,) = judged(KIND, {"allowedBranches": pattern})
    assert said in problem


def test_allowing_what_is_not_asked_for_is_refused() -> None:
    (problem,) = judged(KIND, {"allowUnknownStatusBranch": "true"})
    assert "ensureProtectionOfBranch" in problem
    assert judged(KIND, {"allowUnknownStatusBranch": "true", "ensureProtectionOfBranch": "true"}) == ()
    assert judged(KIND, {}) == ()


@given(st.text("ab/*", max_size=12), st.text("ab/", max_size=12))
def test_patterns_match_as_the_shell_would(pattern: str, branch: str) -> None:
    assert matches(branch, pattern) == bool(re.match(fnmatch.translate(pattern), branch))


def test_a_hostile_pattern_takes_no_time() -> None:
    assert not matches("a" * 100_000, "*a" * 20_000 + "b")
