"""Variables of a job."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.runtime.masking import Masker
from sluice.runtime.request import JobVariable
from sluice.runtime.variables import JobVariables, environment_name
from sluice.secret import Secret


def made(*given: JobVariable) -> JobVariables:
    return JobVariables(given, Masker())


def one(name: str, value: str | Secret, **parts: bool) -> JobVariable:
    return JobVariable(name=name, value=value, **parts)


def test_names_ignore_case_and_keep_their_first_spelling() -> None:
    variables = made(one("My.Name", "1"))
    variables.set("MY.NAME", "2")
    assert variables.get("my.name") == "2"
    assert variables.snapshot() == (one("My.Name", "2"),)


def test_values_are_expanded_through_one_another() -> None:
    masker = Masker()
    variables = JobVariables([one("a", "<$(b)>"), one("b", "$(c)!"), one("c", Secret("hunter22"))], masker)
    assert variables.get("a") == Secret("<hunter22!>")
    assert masker.mask_text("<hunter22!> hunter22") == "*** ***"
    assert variables.public() == {}
    assert variables.snapshot()[0] == one("a", "<$(b)>")


def test_a_cycle_is_left_as_it_is_and_told() -> None:
    variables = made(one("a", "$(b)"), one("b", "$(a)"))
    assert variables.get("a") == "$(b)"
    assert variables.warnings
    assert all("cyclical reference" in warning for warning in variables.warnings)


def test_a_value_set_later_is_expanded_before_the_next_step() -> None:
    variables = made(one("a", "1"))
    variables.set("b", "$(a)2")
    assert variables.get("b") == "$(a)2"
    variables.recompute()
    assert variables.get("b") == "12"
    assert variables.snapshot()[1].value == "$(a)2"


def test_secrecy_and_read_only_are_sticky() -> None:
    variables = made(one("s", Secret("first-one")), one("r", "1", readonly=True))
    variables.set("S", "second-one")
    variables.set("r", "2")
    assert variables.get("s") == Secret("second-one")
    assert variables.is_readonly("R")
    assert not variables.is_readonly("s")
    assert variables.is_predefined("Agent.TempDirectory")
    assert not variables.is_predefined("r")


def test_reserved_names_and_secrets_do_not_reach_the_environment() -> None:
    variables = made(
        one("plain.name", "1"),
        one("kept.Case", "2", preserve_case=True),
        one("secretThing", "3"),
        one("INPUT_X", "4"),
        one("Endpoint.url", "5"),
        one("securefile", "6"),
        one("token", Secret("7-7-7")),
    )
    assert variables.environment() == {"PLAIN_NAME": "1", "kept_Case": "2"}


@pytest.mark.parametrize(
    "name", ["Build.SourceVersionMessage", "build.sourceVersionAuthor", "System.JobDisplayName", "Agent.Name"]
)
def test_text_from_outside_commands_nothing(name: str) -> None:
    variables = made(one(name, "fix ##vso[task.prependpath]/x and ##VSO[y]"))
    assert variables.get(name) == "fix **vso[task.prependpath]/x and **vso[y]"


@given(st.dictionaries(st.sampled_from("abcd"), st.text(alphabet="abcd$()x", max_size=12)))
def test_no_set_of_values_breaks_the_expansion(values: dict[str, str]) -> None:
    variables = made(*(one(name, value) for name, value in values.items()))
    for name in values:
        assert isinstance(variables.get(name), str)


def test_environment_names() -> None:
    assert environment_name("Build.Source Version-x:y") == "BUILD_SOURCE_VERSION-X:Y"


def test_what_no_environment_can_hold_is_left_out() -> None:
    assert made(one("a=b", "1"), one("nul", "x\0y"), one("ok", "1")).environment() == {"OK": "1"}


_NAMES = st.sampled_from(["a.b", "a_b", "A B", "Build.Reason", "build_reason", "endpoint_x", "x=y", "c", "C"])
_CHANGES = st.lists(
    st.builds(
        JobVariable,
        name=_NAMES,
        value=st.one_of(st.sampled_from(["", "1", "$(c)", "nul\0"]), st.just(Secret("secret-value"))),
        preserve_case=st.booleans(),
    ),
    max_size=12,
)


@given(_CHANGES)
def test_the_environment_after_changes_is_that_of_all_variables_anew(changes: list[JobVariable]) -> None:
    changed = JobVariables((), Masker())
    for change in changes:
        changed.environment()
        changed.put(change)
        changed.recompute()
    anew = JobVariables(changed.snapshot(), Masker())
    assert changed.environment() == anew.environment()
