"""What a step of a run starts decides nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sluice.storage import actions, audit
from sluice.storage.ancestors import driver_above
from sluice.storage.engine import Database
from sluice.storage.home import Home

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux shows processes")

GRANT = """
import sys
from pathlib import Path
from sluice.storage import permissions
from sluice.storage.engine import Database
from sluice.storage.home import Home
with Database.open(Home(Path(sys.argv[1]))).write() as transaction:
    permissions.grant(transaction, permissions.Resource(1, "prod"), 7, by="me", at=1.0)
"""


@contextmanager
def _driving(home: Home) -> Iterator[None]:
    """This process holds the lock of a run."""
    home.locks.mkdir()
    descriptor = os.open(home.locks / "1.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        yield
    finally:
        os.close(descriptor)


def _grant(home: Home, *before: str) -> subprocess.CompletedProcess[str]:
    command = [*before, sys.executable, "-c", GRANT, str(home.root)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_a_process_below_a_driver_permits_nothing_and_that_it_tried_is_told(database: Database, home: Home) -> None:
    with _driving(home):
        tried = _grant(home, "/bin/sh", "-c", '"$@"; exit $?', "sh")
    assert "RefusedToStepError" in tried.stderr
    with database.read() as transaction:
        (link,) = audit.newest(transaction, 9)
    assert link.entry.action == actions.COMMAND_REFUSED.id
    assert str(os.getpid()) in audit.describe(link.entry)
    assert _grant(home).returncode == 0


def test_the_driver_itself_may_decide_for_the_person_at_its_terminal(home: Home) -> None:
    home.create()
    with _driving(home):
        assert driver_above(home) is None
