"""Roles of people: what each lets do, how the project's assignments come down to a resource, who may do what. Pure.

Reference: authorization model, section 1. Two levels for a service connection: in each project, where it inherits from
the project's hub, and in the organization, where it does not. Other resources live in one project and have that alone.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import field

from sluice.authorization.resources import ENDPOINT
from sluice.authorization.texts import TYPE_LABELS
from sluice.errors import ConflictError, UsageError
from sluice.rights import Right
from sluice.values import dataclass

PIPELINE = "pipeline"
"""A pipeline as a resource of roles: to use it is to queue its runs."""


class Role(enum.StrEnum):
    """What a person or group is to a resource, or to all of a project's."""

    READER = "Reader"
    USER = "User"
    CREATOR = "Creator"
    ADMINISTRATOR = "Administrator"


class Level(enum.StrEnum):
    """Where an assignment stands."""

    HUB = "hub"
    PROJECT = "project"
    ORGANIZATION = "organization"


_READ = frozenset({Right.SEE})
_USE = _READ | {Right.USE, Right.PERMIT}
_ADMINISTER = _USE | {
    Right.OPEN_ACCESS,
    Right.EDIT_PROJECT_FIELDS,
    Right.DELETE,
    Right.MANAGE_ROLES,
    Right.MANAGE_CHECKS,
    Right.BYPASS,
}
_OWN = _USE | {
    Right.OPEN_ACCESS,
    Right.EDIT_PROJECT_FIELDS,
    Right.EDIT,
    Right.DELETE,
    Right.SHARE,
    Right.MANAGE_ORGANIZATION_ROLES,
}


def rights_of(role: Role, level: Level, kind: str = ENDPOINT) -> frozenset[Right]:
    """A row of the role table. `kind` is the type of the resource."""
    if level is Level.ORGANIZATION:
        return _OWN if role is Role.ADMINISTRATOR else frozenset()
    if role is Role.CREATOR:
        # who may make pipelines sees and starts those of the project; other resources stay closed to a Creator
        on_objects = frozenset({Right.SEE, Right.USE}) if kind == PIPELINE else frozenset[Right]()
        return on_objects | {Right.CREATE} if level is Level.HUB else on_objects
    if role is Role.ADMINISTRATOR:
        return _ADMINISTER if kind == ENDPOINT else _ADMINISTER | {Right.EDIT}
    return _USE if role is Role.USER else _READ


_ORDER = (Role.CREATOR, Role.READER, Role.USER, Role.ADMINISTRATOR)


@dataclass(frozen=True, slots=True)
class Assignments:
    """The roles that were given at one place, by subject; `inherit` says whether the hub's come down to it."""

    roles: Mapping[str, Role] = field(default_factory=dict)
    inherit: bool = True


@dataclass(frozen=True, slots=True)
class InForce:
    """A role that holds for a subject; `inherited` when it comes from the hub."""

    role: Role
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Everything that was given for one resource in one project."""

    kind: str
    hub: Assignments
    own: Assignments
    organization: Assignments = Assignments(inherit=False)


def in_force(hub: Assignments, own: Assignments) -> dict[str, InForce]:
    """The roles that hold for a resource in a project: its own, and the hub's for subjects that have none of its own."""
    found = {subject: InForce(role) for subject, role in own.roles.items()}
    if own.inherit:
        for subject, role in hub.roles.items():
            found.setdefault(subject, InForce(role, inherited=True))
    return found


def rights(subjects: Iterable[str], held: Held) -> frozenset[Right]:
    """What a person may do with a resource: the union over everything that was given to the person and its groups."""
    found: set[Right] = set()
    here = in_force(held.hub, held.own)
    for subject in subjects:
        if subject in here:
            found |= rights_of(here[subject].role, Level.PROJECT, held.kind)
        if subject in held.organization.roles:
            found |= rights_of(held.organization.roles[subject], Level.ORGANIZATION, held.kind)
    return frozenset(found)


def hub_rights(subjects: Iterable[str], hub: Assignments, kind: str) -> frozenset[Right]:
    """What a person may do in a project with all resources of a kind; among it, to create one."""
    given = (rights_of(hub.roles[one], Level.HUB, kind) for one in subjects if one in hub.roles)
    return frozenset().union(*given)


def highest(subjects: Iterable[str], roles: Mapping[str, InForce]) -> Role | None:
    """The highest role that a person has somewhere, None for none."""
    return max((roles[one].role for one in subjects if one in roles), key=_ORDER.index, default=None)


def needed(right: Right, kind: str = ENDPOINT) -> str:
    """The roles that give a right, in words."""
    if right is Right.CREATE:
        return f"the role {Role.CREATOR} in the project"
    here = [
        role for role in (Role.READER, Role.USER, Role.ADMINISTRATOR) if right in rights_of(role, Level.PROJECT, kind)
    ]
    if here:
        return f"the role {' or '.join(here)}"
    return "the role Administrator of the organization level"


def is_of_organization(right: Right, kind: str = ENDPOINT) -> bool:
    """Whether only the organization level gives a right."""
    return right is not Right.CREATE and right not in rights_of(Role.ADMINISTRATOR, Level.PROJECT, kind)


def assign(
    hub: Assignments, own: Assignments, subject: str, role: Role, *, level: Level, kind: str = ENDPOINT
) -> Assignments:
    """Give a subject a role at one level; the subject has it instead of what it would inherit.

    Raises `UsageError` for a role that the level does not have, and `ConflictError` for a role below the one that the
    subject inherits, while inheritance is on, or when nobody would be left to administer it.
    """
    if level is Level.ORGANIZATION and role is not Role.ADMINISTRATOR:
        raise UsageError(f"in the organization there is the role {Role.ADMINISTRATOR} only")
    if level is not Level.HUB and role is Role.CREATOR:
        raise UsageError(
            f"{Role.CREATOR} is a role in the project, not of one resource", do="give it with --project-level"
        )
    inherited = hub.roles.get(subject) if level is Level.PROJECT and own.inherit else None
    if inherited is not None and not rights_of(inherited, Level.PROJECT, kind) <= rights_of(role, Level.PROJECT, kind):
        raise ConflictError(
            f"the role is inherited from the project ({inherited}), and cannot be lowered while it is",
            do="turn inheritance off with --no-inherit, or change the role in the project (--project-level)",
        )
    after = Assignments({**own.roles, subject: role}, own.inherit)
    _keep_an_administrator(hub, own, after, level)
    return after


def withdraw(hub: Assignments, own: Assignments, subject: str, *, level: Level) -> Assignments:
    """Take a subject's role away. Raises `ConflictError` for an inherited one, and for the last Administrator."""
    if subject not in own.roles:
        if level is Level.PROJECT and own.inherit and subject in hub.roles:
            raise ConflictError(
                f"the role is inherited from the project ({hub.roles[subject]}), and cannot be removed while it is",
                do="turn inheritance off with --no-inherit, or change the role in the project (--project-level)",
            )
        raise ConflictError("there is no role to remove", do="list them without --remove")
    after = Assignments({one: role for one, role in own.roles.items() if one != subject}, own.inherit)
    _keep_an_administrator(hub, own, after, level)
    return after


def set_inheritance(hub: Assignments, own: Assignments, *, on: bool) -> Assignments:
    """Turn inheritance on, which resets every subject to its assignment in the project, or off.

    Off, only a resource's own assignments stay: raises `ConflictError` when no Administrator is among them.
    """
    roles = {one: role for one, role in own.roles.items() if not on or own.inherit or one not in hub.roles}
    after = Assignments(roles, on)
    _keep_an_administrator(hub, own, after, Level.PROJECT)
    return after


def _keep_an_administrator(hub: Assignments, before: Assignments, after: Assignments, level: Level) -> None:
    def administered(own: Assignments) -> bool:
        roles = (
            in_force(hub, own) if level is Level.PROJECT else {one: InForce(role) for one, role in own.roles.items()}
        )
        return any(one.role is Role.ADMINISTRATOR for one in roles.values())

    if administered(before) and not administered(after):
        raise ConflictError(
            "the last Administrator cannot be removed", do="make somebody else Administrator first, then do it again"
        )


_WORDS = {
    Right.SEE: "see {it}",
    Right.USE: "use {it}",
    Right.PERMIT: "permit a pipeline to use {it}",
    Right.OPEN_ACCESS: "open {it} to all pipelines, or end that",
    Right.EDIT: "change {it}",
    Right.EDIT_PROJECT_FIELDS: "change the name or description of {it}",
    Right.DELETE: "delete {it}",
    Right.SHARE: "share {it}",
    Right.MANAGE_ROLES: "change the roles of {it}",
    Right.MANAGE_ORGANIZATION_ROLES: "change the roles of {it} in the organization",
    Right.MANAGE_CHECKS: "change the checks of {it}",
    Right.BYPASS: "bypass the checks of {it}",
    Right.CREATE: "create {it} in this project",
}


def refusal(right: Right, kind: str, name: str, role: Role | None) -> tuple[str, str]:
    """What to tell a person who lacks a right: what is refused, and why. `name` is '' for all of a project's."""
    label = TYPE_LABELS.get(kind, kind).lower()
    if right is Right.CREATE:
        it = f"{'an' if label[0] in 'aeiou' else 'a'} {label}"
    else:
        it = f"the {label} '{name}'" if name else f"the {label}s of this project"
    if role is Role.CREATOR and right is not Right.CREATE and kind != PIPELINE:
        role = None  # of what others created it is none
    level = " in this project" if is_of_organization(right, kind) else ""
    has = (
        f"you are its {role}{level}" if role and name else f"you are {role} there" if role else "you have no role there"
    )
    words = "start or stop runs of {it}" if (right, kind) == (Right.USE, PIPELINE) else _WORDS[right]
    return f"you may not {words.replace('{it}', it)}", f"that takes {needed(right, kind)}, and {has}"
