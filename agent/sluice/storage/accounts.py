"""Accounts of the operating system: who runs this process, and who owns the state folder."""

from __future__ import annotations

import os
from pathlib import Path

from sluice.storage.home import Home

_NOBODYS = -1


def current_account() -> str:
    """The name of the account that runs this process, as the system has it (no variable can claim another)."""
    if os.name == "posix":
        return _name_of(os.geteuid())
    import getpass

    return getpass.getuser()


def owner_of(home: Home | None) -> str:
    """The name of the account that owns a state folder; without one, of the account that runs this process."""
    number = _owner_number(home.root) if home else None
    return current_account() if number is None else _name_of(number)


def owns(home: Home | None) -> bool:
    """Whether the account that runs this process is the local administrator: it owns the state folder, or is root."""
    number = _owner_number(home.root) if home else None
    return number is None or os.geteuid() in {0, number}


def _owner_number(folder: Path) -> int | None:
    """The number of the account that owns a folder; None where there is none yet: whoever makes it will."""
    if os.name != "posix":
        return None
    try:
        return folder.stat().st_uid
    except FileNotFoundError:
        return None
    except OSError:
        return _NOBODYS  # somebody keeps it closed


def _name_of(number: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"
