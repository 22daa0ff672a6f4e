"""Windows of the week, against a reference that looks at each minute alone."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_checks._window import Window

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of summer time
    "America/Santiago",  # its clocks change at midnight
    "Africa/Casablanca",  # twice a year, around Ramadan
    "Pacific/Apia",  # went without 30 December 2011
    "Asia/Kolkata",
)
MINUTE = timedelta(minutes=1)
WEEK = 7 * 24 * 60

clocks = st.builds(time, st.integers(0, 23), st.integers(0, 59))
moments = st.datetimes(datetime(2011, 12, 1), datetime(2031, 1, 1)).map(  # noqa: DTZ001  # strategies want them naive
    lambda one: one.replace(second=0, microsecond=0, tzinfo=UTC)
)
changes = st.sampled_from(
    [
        datetime(2026, 3, 29, 0, 0, tzinfo=UTC),  # Berlin, spring
        datetime(2026, 10, 25, 0, 0, tzinfo=UTC),  # Berlin, autumn
        datetime(2026, 3, 8, 6, 0, tzinfo=UTC),
        datetime(2026, 11, 1, 5, 0, tzinfo=UTC),
        datetime(2026, 4, 4, 14, 0, tzinfo=UTC),  # Lord Howe
        datetime(2026, 9, 6, 3, 0, tzinfo=UTC),  # Santiago
        datetime(2011, 12, 29, 10, 0, tzinfo=UTC),  # Apia
    ]
)
near_changes = st.builds(lambda one, minutes: one + minutes * MINUTE, changes, st.integers(-300, 300))
windows = st.builds(
    lambda days, start, end, zone: Window(days=days, start=start, end=end, zone=ZoneInfo(zone)),
    st.frozensets(st.integers(0, 6), min_size=1),
    clocks,
    clocks,
    st.sampled_from(ZONES),
)


def minutes_of_the_week(window: Window) -> frozenset[int]:
    start, end = (one.hour * 60 + one.minute for one in (window.start, window.end))
    length = (end - start) % (24 * 60) or 24 * 60
    return frozenset((day * 24 * 60 + start + minute) % WEEK for day in window.days for minute in range(length))


def is_open(window: Window, minutes: frozenset[int], moment: datetime) -> bool:
    wall = moment.astimezone(window.zone)
    return (wall.weekday() * 24 + wall.hour) * 60 + wall.minute in minutes


@settings(max_examples=60, deadline=None)
@given(windows, moments | near_changes)
def test_a_window_opens_and_closes_when_minutes_looked_at_one_by_one_say_so(window: Window, moment: datetime) -> None:
    minutes = minutes_of_the_week(window)
    assert window.contains(moment) == is_open(window, minutes, moment)
    opening = window.opens(moment)
    expected = moment
    while not is_open(window, minutes, expected):
        expected += MINUTE
    assert opening == expected
    closing = window.closes(opening)
    if closing is None:
        assert len(minutes) == WEEK
        return
    while is_open(window, minutes, expected):
        expected += MINUTE
    assert closing == expected


def window(start: str, end: str, days: str = "0123456", zone: ZoneInfo = BERLIN) -> Window:
    return Window(
        days=frozenset(map(int, days)), start=time.fromisoformat(start), end=time.fromisoformat(end), zone=zone
    )


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_an_opening_that_the_clock_skips_happens_when_it_goes_on() -> None:
    # at 02:00 it is 03:00
    assert window("02:30", "09:00").opens(at("2026-03-29T01:59:00+01:00")) == at("2026-03-29T03:00:00+02:00")


def test_a_window_that_the_clock_skips_whole_opens_the_next_time() -> None:
    night = window("02:10", "02:40", days="6")
    assert night.opens(at("2026-03-29T00:00:00+01:00")) == at("2026-04-05T02:10:00+02:00")


def test_a_window_in_the_hour_that_comes_twice_opens_twice() -> None:
    night = window("02:15", "02:45")
    assert night.closes(at("2026-10-25T02:15:00+02:00")) == at("2026-10-25T02:45:00+02:00")
    assert night.opens(at("2026-10-25T02:45:00+02:00")) == at("2026-10-25T02:15:00+01:00")


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    friday = window("22:00", "02:00", days="4")
    assert friday.contains(at("2026-01-03T01:59:00+01:00"))  # a Saturday
    assert not friday.contains(at("2026-01-02T01:00:00+01:00"))
    assert friday.closes(at("2026-01-02T22:00:00+01:00")) == at("2026-01-03T02:00:00+01:00")


def test_the_day_that_a_zone_went_without_is_waited_for_a_week_longer() -> None:
    apia = window("09:00", "10:00", days="4", zone=ZoneInfo("Pacific/Apia"))
    assert apia.opens(at("2011-12-29T12:00:00-10:00")) == at("2012-01-06T09:00:00+14:00")


def test_all_day_every_day_never_closes() -> None:
    assert window("00:00", "00:00").closes(at("2026-01-03T01:59:00+01:00")) is None
