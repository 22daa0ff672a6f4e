"""What is stored of a check that somebody configures."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.authorization.checks.configuring import fit
from sluice.authorization.checks.kinds import APPROVAL
from sluice.errors import UsageError
from sluice.hooks.checks import CheckType, Decision
from sluice.hooks.declaration import Field
from sluice.secret import Secret

KIND = CheckType(
    "ask",
    "Ask",
    lambda run: Decision.approved(),
    fields=(
        Field("mode", "Mode", kind="choice", choices=("Fast", "Slow"), default="Fast"),
        Field("count", "Count", kind="number"),
        Field("strict", "Strict", kind="boolean"),
        Field("key", "Key", secret=True, required=True),
    ),
    problems=lambda proposed: ("it is never slow",) if proposed.settings["mode"] == "Slow" else (),
)
KEY = {"key": Secret("t0p")}


def test_settings_come_under_their_own_keys_in_their_own_spelling() -> None:
    fitted = fit(KIND, {"MODE": "fast", "Strict": "Yes", "count": " 3 "}, KEY)
    assert fitted.settings == {"mode": "Fast", "strict": "true", "count": "3"}
    assert fitted.secrets == KEY
    assert (fitted.timeout, fitted.retry_interval) == (1440, 0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"mod": "Fast"}, "did you mean 'mode'"),
        ({"mode": "medium"}, "Fast, Slow"),
        ({"count": "-1"}, "whole number"),
        ({"strict": "perhaps"}, "true or false"),
        ({"key": "t0p"}, "--secret key=-"),
        ({"mode": "Slow"}, "it is never slow"),
    ],
)
def test_what_does_not_fit_is_said(settings: dict[str, str], text: str) -> None:
    with pytest.raises(UsageError, match=text):
        fit(KIND, settings, KEY)


def test_a_secret_that_stands_among_the_settings_is_not_repeated() -> None:
    with pytest.raises(UsageError) as refused:
        fit(KIND, {"key": "t0p-s3cr3t"})
    assert "t0p-s3cr3t" not in str(refused.value)


def test_required_ones_may_be_stored_already() -> None:
    with pytest.raises(UsageError, match="'key'"):
        fit(KIND, {})
    assert fit(KIND, {}, kept=("key",)).secrets == {}


def test_times_have_limits() -> None:
    with pytest.raises(UsageError, match="1 to 43200"):
        fit(APPROVAL, {"approvers": "a"}, timeout=43_201)
    with pytest.raises(UsageError, match="0 to"):
        fit(KIND, {}, KEY, retry_interval=-1)


@given(st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=5))
def test_any_settings_fit_or_are_refused(settings: dict[str, str]) -> None:
    try:
        fit(APPROVAL, {"approvers": "a", **settings})
    except UsageError:
        return
