"""When business hours are: a window of the week as the clock on the wall shows it. Pure.

A moment is inside when the wall clock of the zone reads a time of the window then. What the clock skips in spring is no
part of the window, what it shows twice in autumn is part of it twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SIGHT = 16
"""Days looked ahead: two weeks hold every weekday even where a zone skipped a day."""
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Opens at `start` on each of `days` (0 is Monday) and closes before `end`, the next day if that is not later."""

    days: frozenset[int]
    start: time
    end: time
    zone: ZoneInfo

    def contains(self, moment: datetime) -> bool:
        """Whether the window is open at that moment."""
        local = moment.astimezone(self.zone)
        reading = local.time().replace(tzinfo=None)
        today, yesterday = local.weekday() in self.days, (local.weekday() - 1) % 7 in self.days
        if self.start < self.end:
            return today and self.start <= reading < self.end
        return (today and reading >= self.start) or (yesterday and reading < self.end)

    def opens(self, moment: datetime) -> datetime:
        """The first moment from this one on at which the window is open, in UTC."""
        if self.contains(moment):
            return moment.astimezone(UTC)
        return next(one for one in self._changes(moment) if self.contains(one))

    def closes(self, moment: datetime) -> datetime | None:
        """When the window, open at that moment, closes next, in UTC; None when it always stays open."""
        return next((one for one in self._changes(moment) if not self.contains(one)), None)

    def _changes(self, moment: datetime) -> Iterator[datetime]:
        """Every later moment at which the window may open or close, in order."""
        begin = moment.astimezone(UTC)
        local = begin.astimezone(self.zone)
        found = set(_jumps(self.zone, begin))
        for offset in range(-1, _SIGHT):
            day = local.date() + offset * _DAY
            for reading in (self.start, self.end, time.min):
                wall = datetime.combine(day, reading)
                # both readings of an hour that comes twice; one that is skipped gives moments that do not matter
                found.update(wall.replace(tzinfo=self.zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        return iter(sorted(one for one in found if one > begin))


def _jumps(zone: ZoneInfo, begin: datetime) -> Iterator[datetime]:
    """When the zone's offset from UTC changes in the days to come, to the second."""
    for hour in range(_SIGHT * 24):
        early, late = begin + hour * _HOUR, begin + (hour + 1) * _HOUR
        before = _offset(zone, early)
        if before == _offset(zone, late):
            continue
        while late - early > timedelta(seconds=1):
            middle = early + (late - early) / 2
            early, late = (middle, late) if _offset(zone, middle) == before else (early, middle)
        yield late.replace(microsecond=0)


def _offset(zone: ZoneInfo, moment: datetime) -> timedelta | None:
    return moment.astimezone(zone).utcoffset()
