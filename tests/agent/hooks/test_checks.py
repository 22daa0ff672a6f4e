"""What a kind of check is given and answers."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import NotFoundError
from sluice.hooks.checks import CheckedResource, CheckFacts, CheckRun
from sluice.hooks.connection import Value
from sluice.secret import Secret

FACTS = CheckFacts(project="default", pipeline="release", run_id=1, stage="Deploy")
NOW = datetime(2026, 1, 5, tzinfo=UTC)


def run(settings: dict[str, Value] | None = None, variables: dict[str, Value] | None = None) -> CheckRun:
    depot = CheckedResource(kind="endpoint", name="depot")
    return CheckRun(facts=FACTS, now=NOW, resource=depot, settings=settings or {}, variables=variables or {})


def test_macros_are_replaced_by_public_variables_ignoring_case() -> None:
    assert run(variables={"Build.Id": "7"}).expand("/builds/$(build.id)/$(other)") == "/builds/7/$(other)"


def test_secret_variables_only_come_into_secret_texts() -> None:
    with_token = run(variables={"token": Secret("t0p"), "user": "me"})
    assert with_token.expand("$(user):$(token)") == "me:$(token)"
    assert with_token.expand_secret("$(user):$(token)").reveal() == "me:t0p"


def test_what_a_variable_holds_is_not_expanded_again() -> None:
    assert run(variables={"a": "$(b)", "b": "c"}).expand("$(a)") == "$(b)"


@given(st.text())
def test_any_text_can_be_expanded(text: str) -> None:
    assert run().expand(text) == text


def test_a_secret_setting_is_not_read_as_a_public_one() -> None:
    with pytest.raises(TypeError, match="key"):
        run({"key": Secret("t0p")}).setting("key")
    assert run({"key": Secret("t0p")}).secret("key") == Secret("t0p")


def test_a_flag_is_true_only_when_it_says_so() -> None:
    assert [run({"on": value}).flag("on") for value in ("true", "True ", "yes", "")] == [True, True, False, False]


def test_without_a_way_to_connections_none_is_found() -> None:
    with pytest.raises(NotFoundError, match="depot"):
        run().connection("depot")
