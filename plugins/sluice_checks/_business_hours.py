"""Business hours: a stage starts within a window of the week only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time

from sluice.plugin import CheckRun, Decision, Proposed, Secret, SluiceError
from sluice_checks._time_zones import find_zone, nearest_zones
from sluice_checks._types import TIME, TIME_MESSAGE
from sluice_checks._window import DAYS, Window

_NUMBERS = {day.casefold(): number for number, day in enumerate(DAYS)}


def evaluate(run: CheckRun) -> Decision:
    """Passes while the window is open, until it closes; waits for its next opening otherwise."""
    if wrong := _problems(run.settings):
        raise SluiceError(wrong[0])
    window = _window(run.settings)
    if window.contains(run.now):
        closing = window.closes(run.now)
        text = (
            f"business hours go on until {closing.astimezone(window.zone):%A %H:%M}" if closing else "open at all times"
        )
        return Decision.approved(f"{text} ({run.setting('timeZone')})", until=closing)
    opening = window.opens(run.now)
    shown = f"{opening.astimezone(window.zone):%A %Y-%m-%d %H:%M}"
    return Decision.waiting(f"waiting for business hours: {shown} ({run.setting('timeZone')})", until=opening)


def problems(proposed: Proposed) -> tuple[str, ...]:
    """What is wrong with days, times or time zone."""
    return tuple(_problems(proposed.settings))


def _problems(settings: Mapping[str, str | Secret]) -> list[str]:
    found: list[str] = []
    days, zone = _days(settings), _text(settings, "timeZone")
    if unknown := [day for day in days if day.casefold() not in _NUMBERS]:
        found.append(f"businessDays: '{unknown[0]}' is no day; write English names: Monday, Tuesday")
    elif not days:
        found.append("businessDays names no day")
    if find_zone(zone) is None:
        near = " or ".join(f"'{name}'" for name in nearest_zones(zone))
        advice = f"did you mean {near}?" if near else "names are those of Windows, such as 'W. Europe Standard Time'"
        found.append(f"timeZone: there is no time zone '{zone}'; {advice}")
    found += [
        f"{key}: write {TIME_MESSAGE}"
        for key in ("startTime", "endTime")
        if not re.fullmatch(TIME, _text(settings, key))
    ]
    return found


def _window(settings: Mapping[str, str | Secret]) -> Window:
    zone = find_zone(_text(settings, "timeZone"))
    if zone is None:
        raise SluiceError("there is no such time zone")
    numbers = frozenset(_NUMBERS[day.casefold()] for day in _days(settings))
    return Window(days=numbers, start=_clock(settings, "startTime"), end=_clock(settings, "endTime"), zone=zone)


def _days(settings: Mapping[str, str | Secret]) -> list[str]:
    return [day.strip() for day in _text(settings, "businessDays").split(",") if day.strip()]


def _clock(settings: Mapping[str, str | Secret], key: str) -> time:
    hours, _, minutes = _text(settings, key).partition(":")
    return time(int(hours), int(minutes))


def _text(settings: Mapping[str, str | Secret], key: str) -> str:
    value = settings.get(key, "")
    return value.strip() if isinstance(value, str) else ""
