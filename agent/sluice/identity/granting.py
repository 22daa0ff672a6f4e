"""Permits, roles and policies in bulk: brings resources to what is wanted of them, or tells what that would change."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from sluice.authorization.limits import Limits
from sluice.authorization.roles import Level, Role
from sluice.connections.guard import require_permit
from sluice.errors import ConflictError, Location, SluiceError
from sluice.identity import assignments
from sluice.identity.assignments import Place
from sluice.rights import OWNER_ID, Right
from sluice.storage import permissions, pipelines, policies, projects
from sluice.storage.permissions import ALL_PIPELINES, Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Database, Transaction
    from sluice.storage.pipelines import Pipeline

ALL = "all pipelines"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedPermit:
    """A pipeline (its name, or the path of its file; '' for all of the project) and the limits of its permit."""

    pipeline: str
    limits: Limits = field(default_factory=Limits)
    where: Location | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedResource:
    """What is wanted of a resource, all of it: what is None stays as it is, what is given takes the place of all else."""

    kind: str
    name: str
    where: Location | None = None
    permits: tuple[WantedPermit, ...] | None = None
    roles: Mapping[str, Role] | None = None
    untrusted: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is changed: `action` is grant, limit, revoke, role, remove or untrusted; `who` it is about."""

    action: str
    kind: str
    name: str
    who: str
    details: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Granting:
    """Grants in the name of a person. `find` finds a resource by kind and name, `pipeline` one by name or path."""

    guard: Guard
    find: Callable[[Transaction, int, str, str], tuple[Resource, str]]
    pipeline: Callable[[Transaction, projects.Project, str], Pipeline]
    by: str
    at: float

    def apply(
        self, database: Database, project: str, wanted: Sequence[WantedResource], *, plan_only: bool = False
    ) -> tuple[Change, ...]:
        """Bring the resources to what is wanted, all of them or none; a second time changes nothing.

        Raises a `SluiceError` that carries the place of what does not fit.
        """
        changes: list[Change] = []
        with database.write() as transaction:
            home = projects.find(transaction, project)
            seen: dict[Resource, WantedResource] = {}
            for one in wanted:
                with _at(one.where):
                    resource, name = self.find(transaction, home.id, one.kind, one.name)
                    first = seen.setdefault(resource, one)
                    if first is not one:
                        raise ConflictError(f"'{name}' is described twice", why=f"first at {first.where}")
                    changes.extend(self._permits(transaction, home, resource, name, one))
                    changes.extend(self._roles(transaction, home, resource, name, one))
                    changes.extend(self._policy(transaction, resource, name, one))
            if plan_only:
                transaction.abandon()
        return tuple(changes)

    def _permits(
        self,
        transaction: Transaction,
        home: projects.Project,
        resource: Resource,
        name: str,
        wanted: WantedResource,
    ) -> Iterator[Change]:
        if wanted.permits is None:
            return
        now = {one.pipeline_id: one.limits for one in permissions.of_resource(transaction, resource)}
        names = {ALL_PIPELINES: ALL, **{one.id: one.name for one in pipelines.listed(transaction, home.id)}}
        asked: dict[int, str] = {}
        for permit in wanted.permits:
            with _at(permit.where):
                pipeline_id = ALL_PIPELINES
                if permit.pipeline:
                    found = self.pipeline(transaction, home, permit.pipeline)
                    pipeline_id, names[found.id] = found.id, found.name
                if pipeline_id in asked:
                    raise ConflictError(f"'{names[pipeline_id]}' is permitted twice")
                asked[pipeline_id] = limits = permit.limits.text()
                if now.get(pipeline_id) == limits:
                    continue
                require_permit(self.guard, transaction, resource, name, pipeline_id)
                permissions.grant(
                    transaction, resource, pipeline_id, by=self.by, at=self.at, limits=limits, replace=True
                )
                action = "limit" if pipeline_id in now else "grant"
                yield Change(action, resource.type, name, names[pipeline_id], str(permit.limits))
        for pipeline_id in sorted(now.keys() - asked.keys()):
            require_permit(self.guard, transaction, resource, name, pipeline_id)
            permissions.revoke(transaction, resource, pipeline_id, by=self.by, at=self.at)
            yield Change("revoke", resource.type, name, names.get(pipeline_id, f"pipeline {pipeline_id}"))

    def _roles(
        self,
        transaction: Transaction,
        home: projects.Project,
        resource: Resource,
        name: str,
        wanted: WantedResource,
    ) -> Iterator[Change]:
        if wanted.roles is None:
            return
        place = Place(resource, Level.PROJECT, name)
        assigned = {one.subject.id: one for one in _assigned(transaction, self.guard, place)}
        kept: set[str] = set()
        for subject_name, role in wanted.roles.items():
            subject = assignments.find_subject(transaction, home, subject_name)
            kept.add(subject.id)
            if subject.id not in assigned or assigned[subject.id].role is not role:
                assignments.set_role(transaction, self.guard, place, subject, role, at=self.at)
                yield Change("role", resource.type, name, subject.name, str(role))
        for subject_id, row in assigned.items():
            if subject_id not in kept:
                assignments.remove_role(transaction, self.guard, place, row.subject, at=self.at)
                yield Change("remove", resource.type, name, row.subject.name, str(row.role))

    def _policy(
        self, transaction: Transaction, resource: Resource, name: str, wanted: WantedResource
    ) -> Iterator[Change]:
        allowed = wanted.untrusted
        if allowed is None or allowed == policies.untrusted(transaction, resource):
            return
        self.guard.require(transaction, Right.EDIT, resource, name)
        policies.let_in(transaction, resource, name, allowed, by=self.by, at=self.at)
        yield Change("untrusted", resource.type, name, "untrusted runs", allowed)


def present(transaction: Transaction, guard: Guard, resource: Resource, name: str) -> WantedResource:
    """What holds of a resource now, as it would be wanted; whoever sees it sees that."""
    names = {one.id: one.name for one in pipelines.listed(transaction, resource.project_id)}
    permits = tuple(
        WantedPermit(
            pipeline=names.get(one.pipeline_id, "") if one.pipeline_id else "", limits=Limits.parse(one.limits)
        )
        for one in permissions.of_resource(transaction, resource)
        if one.pipeline_id == ALL_PIPELINES or one.pipeline_id in names
    )
    roles = {one.subject.name: one.role for one in _assigned(transaction, guard, Place(resource, Level.PROJECT, name))}
    return WantedResource(
        kind=resource.type,
        name=name,
        permits=permits,
        roles=roles,
        untrusted=policies.untrusted(transaction, resource),
    )


def _assigned(transaction: Transaction, guard: Guard, place: Place) -> list[assignments.Row]:
    """The roles that were given at a place itself, but for the local administrator's."""
    rows, _ = assignments.listed(transaction, guard, place)
    return [row for row in rows if row.access == "assigned" and row.subject.id != OWNER_ID]


@contextmanager
def _at(where: Location | None) -> Iterator[None]:
    try:
        yield
    except SluiceError as error:
        if where and not isinstance(error.where, Location):
            error.where = where
        raise
