"""The installed task packages, for a command that changes them: a person's decision, which the audit log keeps."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.cli.installation import current_user, guard_of, opened_database
from sluice.cli.session import task_store

if TYPE_CHECKING:
    from sluice.runtime.packages.lock_file import Installed
    from sluice.runtime.packages.store import TaskStore
    from sluice.storage.action import Action
    from sluice.storage.audit import Event
    from sluice.storage.engine import Database


@contextmanager
def changing_tasks(what: str) -> Iterator[TaskStore]:
    """The packages, to be changed by the command `what`. Refused to a step of a run; what changed is recorded.

    The database is opened first: with it this installation gets the key that vouches for the packages.
    """
    from sluice.storage import audit

    with opened_database() as database:
        guard_of(database).require_administrator(f"use '{what}'")
        _refuse_steps(database, what)
        store = task_store()
        before = store.all
        try:
            yield store
        finally:
            events = _events(before, store.all)
            with database.write() as transaction:
                for event in events:
                    audit.append(transaction, event)


def _refuse_steps(database: Database, what: str) -> None:
    from sluice.storage.ancestors import RefusedToStepError, driver_above

    if database.home is not None and (driver := driver_above(database.home)):
        with database.write():
            raise RefusedToStepError(driver, what)


def _events(before: Sequence[Installed], after: Sequence[Installed]) -> list[Event]:
    from sluice.storage import actions

    gone = [_event(actions.TASK_REMOVED, one) for one in before if one.folder not in {each.folder for each in after}]
    return gone + [_event(actions.TASK_INSTALLED, one) for one in after if one not in before]


def _event(action: Action, entry: Installed) -> Event:
    from sluice.storage.audit import Event

    details = {
        "TaskName": entry.name,
        "TaskId": entry.id,
        "Version": entry.version_text,
        "Digest": f"sha256:{entry.digest}",
        "Source": entry.extension or entry.source,
        "Preferred": entry.preferred,
    }
    return Event(action=action, actor=current_user(), at=time.time(), details=details)
