"""Roles at a place: what holds there, with what holds by definition, and changes of it. Every change is audited."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from sluice.authorization import roles as table
from sluice.authorization.resources import ENDPOINT
from sluice.authorization.roles import Assignments, Held, Level, Role
from sluice.errors import NotFoundError, SealError
from sluice.rights import OWNER_ID, Actor, Right
from sluice.storage import groups, people, projects, role_assignments
from sluice.storage.names import clean_name
from sluice.storage.permissions import Resource
from sluice.storage.role_assignments import Changed, Given
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Transaction

_OF_OWNER = {OWNER_ID: Role.ADMINISTRATOR}
_NOBODY = Assignments(inherit=False)
_OF_GROUPS = {groups.PROJECT_ADMINISTRATORS: Role.ADMINISTRATOR, groups.CONTRIBUTORS: Role.CREATOR}
_OF_ENDPOINT_GROUPS = {groups.ENDPOINT_ADMINISTRATORS: Role.ADMINISTRATOR, groups.ENDPOINT_CREATORS: Role.CREATOR}


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a role is given to: a user, or a group by its full name."""

    id: str
    name: str
    kind: str = "user"


@dataclass(frozen=True, slots=True)
class Row:
    """A role that holds at a place. `access` is assigned, inherited, or definition for the local administrator."""

    subject: Subject
    role: Role
    access: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where roles are given: `resource` is the hub's (no id), or a resource in its project; `name` is the resource's."""

    resource: Resource
    level: Level
    name: str = ""

    @property
    def stored(self) -> Resource:
        """How the place is stored."""
        return role_assignments.in_organization(self.resource) if self.level is Level.ORGANIZATION else self.resource


def held(transaction: Transaction, resource: Resource) -> Held:
    """All that was given for a resource, or (without an id) for all of a project's; raises `SealError` for edited roles."""
    hub = _read(transaction, role_assignments.hub_of(resource))
    if not resource.id:
        return Held(resource.type, hub, _NOBODY)
    own = _read(transaction, resource)
    above = _read(transaction, role_assignments.in_organization(resource)) if resource.type == ENDPOINT else _NOBODY
    return Held(resource.type, hub, own, above)


def held_of_type(transaction: Transaction, project_id: int, resource_type: str) -> Callable[[str], Held]:
    """As `held` for many resources of a project, read at once; edited roles give nobody anything."""
    stored = role_assignments.of_type(transaction, project_id, resource_type)

    def at(place: Resource) -> Assignments:
        if place not in stored:
            return _default(transaction, place)
        given = stored[place]
        return _assignments(given) if given else _NOBODY

    hub = at(Resource(project_id, role_assignments.HUB, resource_type))

    def find(resource_id: str) -> Held:
        resource = Resource(project_id, resource_id, resource_type)
        above = at(role_assignments.in_organization(resource)) if resource_type == ENDPOINT else _NOBODY
        return Held(resource_type, hub, at(resource), above)

    return find


def find_subject(transaction: Transaction, project: projects.Project, name: str) -> Subject:
    """The user, or the group (of the project or the organization), of that name; raises `NotFoundError`."""
    if "\\" not in name and (user := people.find(transaction, name)):
        return Subject(user.id, user.name)
    if group := groups.find(transaction, project, name):
        return Subject(group.id, group.full_name, "group")
    raise NotFoundError(
        f"there is no user or group '{clean_name(name)}'", do="see 'sluice user list' and 'sluice group list'"
    )


def listed(transaction: Transaction, guard: Guard, place: Place) -> tuple[tuple[Row, ...], bool]:
    """The roles that hold at a place, and whether it inherits; whoever sees the resource sees them."""
    guard.require(transaction, Right.SEE, place.resource, place.name)
    own = _read(transaction, place.stored)
    if place.level is Level.PROJECT:
        found = table.in_force(_read(transaction, role_assignments.hub_of(place.resource)), own)
    else:
        found = {subject: table.InForce(role) for subject, role in own.roles.items()}
    subjects = _subjects(transaction, found)
    rows = [Row(subjects[one], role.role, "inherited" if role.inherited else "assigned") for one, role in found.items()]
    if OWNER_ID not in found:
        owner = people.owner(transaction)
        rows.append(Row(Subject(owner.id, owner.name), Role.ADMINISTRATOR, "definition"))
    return tuple(sorted(rows, key=lambda row: (row.subject.kind, row.subject.name))), own.inherit


def set_role(transaction: Transaction, guard: Guard, place: Place, subject: Subject, role: Role, *, at: float) -> None:
    """Give somebody a role at a place; raises as `Guard.require` and `roles.assign` do."""
    hub, own = _to_change(transaction, guard, place)
    after = table.assign(hub, own, subject.id, role, level=place.level, kind=place.resource.type)
    _store(transaction, guard, place, after, [Changed(subject=subject.id, subject_name=subject.name, role=role)], at=at)


def remove_role(transaction: Transaction, guard: Guard, place: Place, subject: Subject, *, at: float) -> None:
    """Take somebody's role away at a place; raises as `Guard.require` and `roles.withdraw` do."""
    hub, own = _to_change(transaction, guard, place)
    after = table.withdraw(hub, own, subject.id, level=place.level)
    _store(transaction, guard, place, after, [Changed(subject=subject.id, subject_name=subject.name)], at=at)


def set_inheritance(transaction: Transaction, guard: Guard, place: Place, *, on: bool, at: float) -> None:
    """Let a resource inherit its project's roles, or not; raises as `Guard.require` and `roles.set_inheritance` do."""
    hub, own = _to_change(transaction, guard, place)
    after = table.set_inheritance(hub, own, on=on)
    change = Changed(subject="", subject_name="everybody", role="on" if on else "off", what="Inheritance")
    _store(transaction, guard, place, after, [change], at=at)


def make_administrator(transaction: Transaction, place: Resource, actor: Actor, *, name: str, at: float) -> None:
    """Let a place, one that is new, have this Administrator and no other of its own."""
    inherit = place.project_id != role_assignments.ORGANIZATION
    given = Given({actor.id: str(Role.ADMINISTRATOR)}, inherit)
    change = Changed(subject=actor.id, subject_name=actor.name, role=Role.ADMINISTRATOR)
    role_assignments.write(transaction, place, given, [change], name=name, by=actor.name, at=at)


def names_of(transaction: Transaction, ids: Iterable[str]) -> list[str]:
    """The names of users and groups; one that is gone by its id."""
    wanted = list(ids)
    subjects = _subjects(transaction, wanted)
    return [subjects[one].name for one in wanted]


def _subjects(transaction: Transaction, ids: Iterable[str]) -> Mapping[str, Subject]:
    wanted = set(ids)
    found = {
        group_id: Subject(group_id, group.full_name, "group")
        for group_id, group in groups.by_ids(transaction, wanted).items()
    }
    for one in wanted - found.keys():
        user = people.find(transaction, one)
        found[one] = Subject(user.id, user.name) if user else Subject(one, one, "deleted")
    return found


def _to_change(transaction: Transaction, guard: Guard, place: Place) -> tuple[Assignments, Assignments]:
    """The roles of a place's hub and its own, for whoever may change them."""
    right = Right.MANAGE_ORGANIZATION_ROLES if place.level is Level.ORGANIZATION else Right.MANAGE_ROLES
    guard.require(transaction, right, place.resource, place.name)
    hub = _read(transaction, role_assignments.hub_of(place.resource)) if place.level is Level.PROJECT else _NOBODY
    try:
        return hub, _read(transaction, place.stored)
    except SealError:
        if not guard.actor.administrator:
            raise
        return hub, _default(transaction, place.stored)  # the way back after somebody edited them


def _store(
    transaction: Transaction, guard: Guard, place: Place, after: Assignments, changes: list[Changed], *, at: float
) -> None:
    given = Given({subject: str(role) for subject, role in after.roles.items()}, after.inherit)
    role_assignments.write(transaction, place.stored, given, changes, name=place.name, by=guard.actor.name, at=at)


def _read(transaction: Transaction, place: Resource) -> Assignments:
    given = role_assignments.read(transaction, place)
    return _default(transaction, place) if given is None else _assignments(given)


def _assignments(given: Given) -> Assignments:
    return Assignments({subject: Role(role) for subject, role in given.roles.items()}, given.inherit)


def _default(transaction: Transaction, place: Resource) -> Assignments:
    """What holds at a place that was never changed: its creator, the local administrator, is Administrator."""
    if place.id:
        return Assignments(_OF_OWNER, inherit=place.project_id != role_assignments.ORGANIZATION)
    project = projects.get(transaction, place.project_id)
    of_groups = _OF_GROUPS | (_OF_ENDPOINT_GROUPS if place.type == ENDPOINT else {})
    return Assignments({groups.default_id(project, name): role for name, role in of_groups.items()}, inherit=False)
