"""Environments as a person works with them: what `guard` lets the person do, in the transaction of the change."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.homes import home_for
from sluice.rights import Right
from sluice.storage import environments as rows
from sluice.storage import permissions, projects
from sluice.storage.environments import Environment, EnvironmentResource
from sluice.storage.permissions import ENVIRONMENT, Resource

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction


def get(transaction: Transaction, project_id: int, name: str, guard: Guard = UNRESTRICTED) -> Environment:
    """The environment of that name or id; raises `NotFoundError` also for one that the person does not see."""
    found = rows.find(transaction, project_id, name)
    if found and guard.allows(transaction, Right.SEE, rows.resource_of(found)):
        return found
    seen = guard.seen(transaction, project_id, ENVIRONMENT)
    raise rows.not_found(name, [one.name for one in rows.listed(transaction, project_id) if seen(one.id)])


def listed(transaction: Transaction, project_id: int, guard: Guard = UNRESTRICTED) -> tuple[Environment, ...]:
    """The environments of a project that the person sees, by name."""
    seen = guard.seen(transaction, project_id, ENVIRONMENT)
    return tuple(one for one in rows.listed(transaction, project_id) if seen(one.id))


class EnvironmentStore:
    """Changes environments, in transactions that are open. `clock` answers seconds since the epoch."""

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
    ) -> Environment:
        """Make an environment; raises as `storage.environments.create` does."""
        now = self._clock()
        home = home_for(transaction, self.guard, project, at=now)
        made = self.create_in(transaction, home, name, by=by, description=description)
        if all_pipelines:
            resource = rows.resource_of(made)
            self.guard.require(transaction, Right.OPEN_ACCESS, resource, made.name)
            permissions.grant(transaction, resource, permissions.ALL_PIPELINES, by=by, at=now)
        return made

    def create_in(
        self, transaction: Transaction, home: projects.Project, name: str, *, by: str, description: str = ""
    ) -> Environment:
        """Make an environment in a project that is found."""
        now = self._clock()
        self.guard.require(transaction, Right.CREATE, Resource(home.id, "", ENVIRONMENT))
        made = rows.create(transaction, home, name, by=by, at=now, description=description)
        self.guard.created(transaction, rows.resource_of(made), made.name, at=now)
        return made

    def delete(self, transaction: Transaction, project: str, name: str, *, by: str) -> Environment:
        """Delete an environment with its resources, permits and history."""
        found = self._found(transaction, project, name, Right.DELETE)
        rows.delete(transaction, found, by=by, at=self._clock())
        return found

    def add_resource(
        self,
        transaction: Transaction,
        project: str,
        name: str,
        resource: str,
        kind: str,
        *,
        by: str,
        tags: tuple[str, ...],
    ) -> tuple[Environment, EnvironmentResource]:
        """Add a resource; raises as `storage.environments.add_resource` does."""
        found = self._found(transaction, project, name, Right.EDIT)
        return found, rows.add_resource(transaction, found, resource, kind, by=by, at=self._clock(), tags=tags)

    def remove_resource(
        self, transaction: Transaction, project: str, name: str, resource: str, *, by: str
    ) -> tuple[Environment, str]:
        """Remove a resource; answers its name as it was stored."""
        found = self._found(transaction, project, name, Right.EDIT)
        return found, rows.remove_resource(transaction, found, resource, by=by, at=self._clock())

    def _found(self, transaction: Transaction, project: str, name: str, right: Right) -> Environment:
        found = get(transaction, projects.find(transaction, project).id, name, self.guard)
        self.guard.require(transaction, right, rows.resource_of(found), found.name)
        return found
