"""Who owns the state folder, and so is the local administrator."""

from __future__ import annotations

import os
import pwd
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.storage.accounts import current_account, owner_of, owns
from sluice.storage.home import Home

OTHER = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another account")


def as_another_account(ask: Callable[[], bool]) -> bool:
    """What a process of another account answers."""
    child = os.fork()
    if child == 0:
        status = 2
        try:
            os.setuid(OTHER)
            status = int(ask())
        except BaseException:  # noqa: BLE001  # whatever it is, the test is not to run on in the child
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert status in {0, 1}
    return bool(status)


def test_whoever_makes_the_state_folder_owns_it(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    assert owns(home)
    home.create()
    assert owns(home)
    assert owner_of(home) == current_account() == pwd.getpwuid(os.geteuid()).pw_name


@needs_root
def test_another_account_owns_it_not_whatever_it_may_read(tmp_path: Path) -> None:
    home = Home(tmp_path / "home").create()
    for folder in (home.root, *tmp_path.parents[:2], tmp_path):
        folder.chmod(0o755)
    assert not as_another_account(lambda: owns(home))
    os.chown(home.root, OTHER, -1)
    assert as_another_account(lambda: owns(home))
    assert owns(home)  # root has the keys of all


@needs_root
def test_a_folder_that_is_closed_is_somebody_elses(tmp_path: Path) -> None:
    home = Home(tmp_path / "closed" / "home").create()
    home.root.parent.chmod(0o700)
    assert not as_another_account(lambda: owns(home))
