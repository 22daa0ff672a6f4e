"""Time zones by the names that checks use: those of Windows (`W. Europe Standard Time`), and those of the tz database."""

from __future__ import annotations

from zoneinfo import ZoneInfo, ZoneInfoNotFoundError


def find_zone(name: str) -> ZoneInfo | None:
    """The zone of that name, ignoring case for Windows' names; None when there is no such zone."""
    from tzlocal.windows_tz import win_tz

    wanted = name.strip()
    known = {windows.casefold(): iana for windows, iana in win_tz.items()}
    try:
        return ZoneInfo(known.get(wanted.casefold(), wanted))
    except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a name that is a folder or too long for a file
        return None


def nearest_zones(name: str) -> list[str]:
    """Windows' names that look like this one, the nearest first."""
    import difflib

    from tzlocal.windows_tz import win_tz

    return difflib.get_close_matches(name.strip()[:80], list(win_tz), n=3)
