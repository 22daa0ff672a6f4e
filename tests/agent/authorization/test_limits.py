"""What a limited permit allows, and how limits are written and stored."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.authorization.limits import Limits
from sluice.errors import UsageError

MAIN = "refs/heads/main"


def test_every_list_that_is_not_empty_has_to_be_met() -> None:
    limits = Limits.of(["Deploy"], ["main"], ["SSH@0"])
    assert limits.exceeded_by(stage="deploy", branch=MAIN, task="ssh@0") == ""
    assert limits.exceeded_by(stage="Build", branch=MAIN, task="SSH@0") == "stage 'Build' is not one of 'Deploy'"
    assert "branch 'refs/heads/dev'" in limits.exceeded_by(stage="Deploy", branch="refs/heads/dev", task="SSH@0")
    assert "task 'SSH@1'" in limits.exceeded_by(stage="Deploy", branch=MAIN, task="SSH@1")
    assert limits.exceeded_by(stage="Deploy", branch=MAIN, task="") == "no task asks for it"


@pytest.mark.parametrize(
    ("pattern", "branch", "allowed"),
    [
        ("main", MAIN, True),
        ("main", "refs/heads/Main", False),
        ("main", "refs/pull/1/main", False),
        ("release/*", "refs/heads/release/1/2", True),
        ("release/*", "refs/heads/release", False),
        ("refs/tags/v*", "refs/tags/v1", True),
        ("rel[12]", "refs/heads/rel1", False),
        ("rel[12]", "refs/heads/rel[12]", True),
        ("m?in", MAIN, False),
        ("*", "HEAD", True),
    ],
)
def test_a_star_is_the_only_wildcard_of_branches(pattern: str, branch: str, allowed: bool) -> None:
    assert (not Limits.of(branches=[pattern]).exceeded_by(stage="S", branch=branch, task="")) is allowed


def test_a_task_without_version_stands_for_all_its_versions() -> None:
    limits = Limits.of(tasks=["SSH"])
    assert limits.exceeded_by(stage="S", branch="", task="SSH@7") == ""
    assert limits.exceeded_by(stage="S", branch="", task="SSHX@7") != ""


@pytest.mark.parametrize("how", [{"stages": [" "]}, {"branches": ["a\nb"]}, {"tasks": ["SSH@x"]}, {"tasks": ["S H"]}])
def test_what_names_nothing_is_refused(how: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError):
        Limits.of(**how)


@given(st.lists(st.text(min_size=1).filter(lambda text: text.strip() and text.strip().isprintable()), max_size=5))
def test_limits_are_the_same_after_they_were_stored(names: list[str]) -> None:
    limits = Limits.of(stages=names)
    assert Limits.parse(limits.text()) == limits
    assert Limits.of(stages=reversed(names)).text() == limits.text()


def test_a_text_that_says_something_else_is_no_limit() -> None:
    assert not Limits.parse("")
    for text in ("[]", '{"people": ["me"]}', "{"):
        with pytest.raises(ValueError, match=r"."):
            Limits.parse(text)
