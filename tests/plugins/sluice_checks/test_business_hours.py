from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from tests.doubles.check_runs import evaluation, judged
from tzlocal.windows_tz import win_tz

from sluice.errors import SluiceError
from sluice_checks._time_zones import find_zone
from sluice_checks._types import BUSINESS_HOURS as KIND

OFFICE = {
    "businessDays": "Monday, Tuesday, Wednesday, Thursday, Friday",
    "startTime": "09:00",
    "endTime": "17:00",
    "timeZone": "W. Europe Standard Time",
}


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_within_business_hours_a_check_passes_until_they_end() -> None:
    decision = KIND.evaluate(evaluation(KIND, OFFICE, now=at("2026-01-05T09:00:00+01:00")))
    assert (decision.outcome, decision.until) == ("approved", at("2026-01-05T17:00:00+01:00"))
    assert decision.message == "business hours go on until Monday 17:00 (W. Europe Standard Time)"


def test_after_business_hours_it_waits_for_the_next_day_they_are_on() -> None:
    decision = KIND.evaluate(evaluation(KIND, OFFICE, now=at("2026-01-09T17:00:00+01:00")))
    assert (decision.outcome, decision.until) == ("waiting", at("2026-01-12T09:00:00+01:00"))
    assert decision.message == "waiting for business hours: Monday 2026-01-12 09:00 (W. Europe Standard Time)"


def test_hours_that_never_end_pass_for_good() -> None:
    always = {"businessDays": OFFICE["businessDays"] + ", Saturday, Sunday", "startTime": "0:00", "endTime": "00:00"}
    decision = KIND.evaluate(evaluation(KIND, always))
    assert (decision.outcome, decision.until) == ("approved", None)


def test_every_zone_of_windows_is_known() -> None:
    assert all(find_zone(name) is not None for name in win_tz)
    assert find_zone("w. europe standard TIME ") == ZoneInfo("Europe/Berlin")
    assert find_zone("Europe/Vienna") == ZoneInfo("Europe/Vienna")


@pytest.mark.parametrize("name", ["", "Middle Earth", "../etc/passwd", "/etc/passwd", "a\0b", "x" * 10_000, "Europe"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert find_zone(name) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"businessDays": "Monday, Mittwoch"}, "'Mittwoch' is no day"),
        ({"businessDays": " , "}, "names no day"),
        ({"startTime": "9 am"}, "startTime: write a time of a day as HH:mm"),
        ({"endTime": "24:00"}, "endTime: write a time of a day as HH:mm"),
        ({"timeZone": "W Europe Standard Time"}, "did you mean 'W. Europe Standard Time'"),
        ({"timeZone": "Middle Earth"}, "there is no time zone 'Middle Earth'"),
    ],
)
def test_what_makes_no_business_hours_is_refused_with_what_to_write(wrong: dict[str, str], said: str) -> None:
    (problem,) = judged(KIND, {**OFFICE, **wrong})
    assert said in problem
    with pytest.raises(SluiceError):  # stored all the same, by whoever writes to the database
        KIND.evaluate(evaluation(KIND, {**OFFICE, **wrong}))


def test_the_sample_has_no_problem() -> None:
    assert judged(KIND, OFFICE) == ()
    assert judged(KIND, {}) == ()
