"""Agent pools as a person works with them: what `guard` lets the person do, in the transaction of the change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.homes import home_for
from sluice.rights import Right
from sluice.storage import permissions, projects
from sluice.storage import pools as rows
from sluice.storage.permissions import QUEUE, Resource
from sluice.storage.pools import Pool

if TYPE_CHECKING:
    from sluice.storage.engine import Database, Transaction


def get(transaction: Transaction, project_id: int, name: str, guard: Guard = UNRESTRICTED) -> Pool:
    """The pool of that name or id; raises `NotFoundError` also for one that the person does not see.

    One that every project has is made where it is missing, in a transaction that writes.
    """
    if transaction.writes and rows.is_standard(name):
        rows.ensure_standard(transaction, projects.get(transaction, project_id), at=time.time())
    found = rows.find(transaction, project_id, name)
    if found and guard.allows(transaction, Right.SEE, rows.resource_of(found)):
        return found
    seen = guard.seen(transaction, project_id, QUEUE)
    raise rows.not_found(name, [one.name for one in rows.listed(transaction, project_id) if seen(one.id)])


def listed(transaction: Transaction, project_id: int, guard: Guard = UNRESTRICTED) -> tuple[Pool, ...]:
    """The pools of a project that the person sees, by name."""
    seen = guard.seen(transaction, project_id, QUEUE)
    return tuple(one for one in rows.listed(transaction, project_id) if seen(one.id))


def prepare_standard(database: Database, project: str, *, clock: Callable[[], float] = time.time) -> None:
    """Make the pools that every project has, where a project has none of them yet; of no project: nothing."""
    with database.read() as transaction:
        home = projects.look_up(transaction, project)
        if home is None or all(rows.find(transaction, home.id, name) for name in rows.STANDARD):
            return
    with database.write() as transaction:
        rows.ensure_standard(transaction, home, at=clock())


class PoolStore:
    """Changes pools, in transactions that are open. `clock` answers seconds since the epoch."""

    def __init__(self, guard: Guard = UNRESTRICTED, *, clock: Callable[[], float] = time.time) -> None:
        self.guard = guard
        self._clock = clock

    def create(
        self,
        transaction: Transaction,
        project: str,
        name: str,
        *,
        by: str,
        description: str = "",
        all_pipelines: bool = False,
    ) -> Pool:
        """Make a pool; raises as `storage.pools.create` does."""
        now = self._clock()
        home = home_for(transaction, self.guard, project, at=now)
        self.guard.require(transaction, Right.CREATE, Resource(home.id, "", QUEUE))
        rows.ensure_standard(transaction, home, at=now)
        made = rows.create(transaction, home, name, by=by, at=now, description=description)
        resource = rows.resource_of(made)
        self.guard.created(transaction, resource, made.name, at=now)
        if all_pipelines:
            self.guard.require(transaction, Right.OPEN_ACCESS, resource, made.name)
            permissions.grant(transaction, resource, permissions.ALL_PIPELINES, by=by, at=now)
        return made

    def delete(self, transaction: Transaction, project: str, name: str, *, by: str) -> Pool:
        """Delete a pool with its permits and checks."""
        found = get(transaction, projects.find(transaction, project).id, name, self.guard)
        self.guard.require(transaction, Right.DELETE, rows.resource_of(found), found.name)
        rows.delete(transaction, found, by=by, at=self._clock())
        return found
