"""Run numbers: what the pipeline's `name` becomes when a run is created."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime

from sluice.errors import UsageError
from sluice.language.macros import expand

DEFAULT_FORMAT = "$(Date:yyyyMMdd).$(Rev:r)"
MAX_LENGTH = 255

_FORBIDDEN = "\"/:<>\\'|?@*"
_REVISION = re.compile(r"\$\(Rev:([^()r]*)(r+)\)", re.IGNORECASE)
_SLASHES = str.maketrans("/\\", "__")
_DATE_PART = re.compile(r"(y+|M+|d+|H+|h+|m+|s+|f+|t+|z+|K|'[^']*'|\"[^\"]*\"|\\.)", re.DOTALL)
_ALIASES = {
    "builddefinitionname": "Build.DefinitionName",
    "buildid": "Build.BuildId",
    "sourcebranchname": "Build.SourceBranchName",
    "teamproject": "System.TeamProject",
}
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]
_DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


def format_run_name(
    pattern: str, variables: Mapping[str, str], now: datetime, next_revision: Callable[[str], int]
) -> str:
    """The run number that `pattern` gives ('' for the default format).

    `variables` are those known before the run starts (names ignore case), `now` is the time in the zone of the
    organization. `next_revision` gets the number with `$(Rev:r)` left in it and answers one more than the last run of
    the pipeline had with the same rest; it is asked once, and only when `pattern` has a `$(Rev:...)`. Raises `UsageError`
    for a number that is too long or has characters that are not allowed.
    """
    known = {name.casefold(): value for name, value in variables.items()}

    def look_up(name: str) -> str | None:
        token = _time_token(name, now)
        if token is not None:
            return token
        value = known.get(_ALIASES.get(name.casefold(), name).casefold())
        return value.translate(_SLASHES) if value is not None else None

    name = str(expand(pattern.strip() or DEFAULT_FORMAT, look_up))
    if _REVISION.search(name):
        revision = next_revision(_REVISION.sub(lambda found: f"{found.group(1)}$(Rev:r)", name))
        name = _REVISION.sub(lambda found: f"{found.group(1)}{revision:0{len(found.group(2))}d}", name)
    check_run_name(name)
    return name


def check_run_name(name: str) -> None:
    """Raise `UsageError` for a run number that is too long or has characters that are not allowed."""
    bad = sorted({letter for letter in name if letter in _FORBIDDEN})
    if bad:
        raise UsageError(
            f"the run number '{name}' has characters that are not allowed: {' '.join(bad)}", do="change 'name'"
        )
    if len(name) > MAX_LENGTH:
        raise UsageError(
            f"the run number has {len(name)} characters, at most {MAX_LENGTH} are allowed", do="change 'name'"
        )
    if name.endswith("."):
        raise UsageError(f"the run number '{name}' ends in a period, which is not allowed", do="change 'name'")


def _time_token(name: str, now: datetime) -> str | None:
    word, colon, spec = name.partition(":")
    folded = word.casefold()
    if folded == "date" and colon:
        return format_date(now, spec)
    if folded == "year" and spec in {"yy", "yyyy"}:
        return format_date(now, spec)
    if colon:
        return None
    numbers = {
        "dayofmonth": now.day,
        "dayofyear": now.timetuple().tm_yday,
        "month": now.month,
        "hours": now.hour,
        "minutes": now.minute,
        "seconds": now.second,
    }
    return str(numbers[folded]) if folded in numbers else None


def format_date(moment: datetime, spec: str) -> str:
    """The moment in a custom .NET date format, such as `yyyy.MM.dd`, in the invariant culture."""
    return _DATE_PART.sub(lambda found: _date_part(moment, found.group(1)), spec)


def _date_part(moment: datetime, part: str) -> str:
    if part[0] in "'\"":
        return part[1:-1]
    if part[0] == "\\":
        return part[1:]
    letter, count = part[0], len(part)
    if letter == "y":
        return f"{moment.year % 100:0{count}d}" if count <= 2 else f"{moment.year:0{count}d}"
    if letter == "M" and count > 2:
        return _MONTHS[moment.month - 1] if count > 3 else _MONTHS[moment.month - 1][:3]
    if letter == "d" and count > 2:
        return _DAYS[moment.weekday()] if count > 3 else _DAYS[moment.weekday()][:3]
    if letter == "f":
        return f"{moment.microsecond:06d}0"[:count]
    if letter == "t":
        return ("AM" if moment.hour < 12 else "PM")[:count]
    if letter in "zK":
        return _offset(moment, count if letter == "z" else 3)
    numbers = {
        "M": moment.month,
        "d": moment.day,
        "H": moment.hour,
        "h": moment.hour % 12 or 12,
        "m": moment.minute,
        "s": moment.second,
    }
    return f"{numbers[letter]:0{min(count, 2)}d}"


def _offset(moment: datetime, count: int) -> str:
    offset = moment.utcoffset()
    minutes = round(offset.total_seconds() / 60) if offset is not None else 0
    sign = "-" if minutes < 0 else "+"
    hours, rest = divmod(abs(minutes), 60)
    return f"{sign}{hours:02d}:{rest:02d}" if count > 2 else f"{sign}{hours:0{count}d}"
