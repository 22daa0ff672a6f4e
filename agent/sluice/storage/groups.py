"""Groups of users: those that every project has, those of the organization, and those that people make."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import sqlalchemy
from sqlalchemy import select

from sluice.errors import ConflictError, NotFoundError, SealError, UsageError
from sluice.rights import OWNER_ID
from sluice.storage import audit, people_actions, projects, witnesses
from sluice.storage.action import Action
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, hidden_characters, is_guid, name_key
from sluice.storage.people import User
from sluice.storage.tables_people import user_groups
from sluice.values import dataclass

ORGANIZATION = 0
"""The project id of groups of the organization."""

ORGANIZATION_NAME = "local"
COLLECTION_ADMINISTRATORS = "Project Collection Administrators"
ENDPOINT_ADMINISTRATORS = "Endpoint Administrators"
ENDPOINT_CREATORS = "Endpoint Creators"
PROJECT_ADMINISTRATORS = "Project Administrators"
CONTRIBUTORS = "Contributors"
OF_PROJECTS = (CONTRIBUTORS, ENDPOINT_ADMINISTRATORS, ENDPOINT_CREATORS, PROJECT_ADMINISTRATORS)
"""The groups that every project has."""

MAX_NAME = 256

_KIND = "group"
_ACTIONS = (
    people_actions.GROUP_CREATED,
    people_actions.GROUP_MEMBER_ADDED,
    people_actions.GROUP_MEMBER_REMOVED,
    people_actions.GROUP_DELETED,
)
_NAMES = ("id", "project_id", "name", "name_key", "description", "members", "created_by", "created_at", "sequence")
_QUERY = select(*(user_groups.c[name] for name in _NAMES), user_groups.c.code)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group; `owner` is the project's name, or the organization's. `members` are ids of users."""

    id: str
    project_id: int
    owner: str
    name: str
    description: str = ""
    members: tuple[str, ...] = ()
    created_by: str = ""
    created_at: float = 0.0
    built_in: bool = False

    @property
    def full_name(self) -> str:
        """The name with its project's, or the organization's, in front."""
        return f"[{self.owner}]\\{self.name}"


def default_id(project: projects.Project | None, name: str) -> str:
    """The id of a group that every project has, or (without a project) that the organization has."""
    return str(uuid.uuid5(uuid.UUID(project.guid if project else OWNER_ID), name))


def listed(transaction: Transaction, project: projects.Project | None) -> tuple[Group, ...]:
    """The groups of a project, or of the organization, by name; those that are there by definition among them."""
    project_id = project.id if project else ORGANIZATION
    rows = transaction.rows(_QUERY.where(user_groups.c.project_id == project_id))
    found = {row.id: _group(transaction, row, project) for row in rows}
    for name in OF_PROJECTS if project else (COLLECTION_ADMINISTRATORS,):
        if (group_id := default_id(project, name)) not in found:
            found[group_id] = _default(transaction, project, name)
    return tuple(sorted(found.values(), key=lambda group: name_key(group.name)))


def find(transaction: Transaction, project: projects.Project, name: str) -> Group | None:
    r"""The group that a person names: `[project]\Name`, `[local]\Name` for the organization's, or a bare name or id.

    A bare name is looked for in the project first.
    """
    owner, mark, bare = name.strip().rpartition("\\")
    places: list[projects.Project | None] = [project, None]
    if mark:
        inner = owner.strip().removeprefix("[").removesuffix("]")
        named = projects.look_up(transaction, inner)
        places = [named] if named else [None] if name_key(inner) == name_key(ORGANIZATION_NAME) else []
    for place in places:
        for group in listed(transaction, place):
            if name_key(group.name) == name_key(bare) or group.id == bare.strip().lower():
                return group
    return None


def get(transaction: Transaction, project: projects.Project, name: str) -> Group:
    """As `find`; raises `NotFoundError`."""
    if found := find(transaction, project, name):
        return found
    raise NotFoundError(f"there is no group '{clean_name(name)}'", do="see 'sluice group list'")


def of_user(transaction: Transaction, user_id: str) -> tuple[Group, ...]:
    """The groups that a user is a member of, in all projects; raises `SealError` for one that Sluice did not store."""
    rows = transaction.rows(_QUERY.where(user_groups.c.members.contains(f'"{user_id}"')))
    return tuple(
        _group(transaction, row, projects.get(transaction, row.project_id) if row.project_id else None) for row in rows
    )


def is_member(group: Group, user: User) -> bool:
    """Whether a user is in a group: as a member, or by definition."""
    return user.id in group.members or _always(group, user)


def by_ids(transaction: Transaction, ids: set[str]) -> dict[str, Group]:
    """The groups of these ids, wherever they are."""
    found: dict[str, Group] = {}
    for place in (None, *projects.listed(transaction)):
        found.update((group.id, group) for group in listed(transaction, place) if group.id in ids)
    return found


def create(
    transaction: Transaction, project: projects.Project | None, name: str, *, by: str, at: float, description: str = ""
) -> Group:
    """Make a group; raises `ConflictError` when the name is taken, `UsageError` for one that cannot be."""
    cleaned = clean_name(name)
    if (
        not cleaned
        or len(cleaned) > MAX_NAME
        or hidden_characters(cleaned)
        or is_guid(cleaned)
        or set(cleaned) & set("[]\\")
    ):
        raise UsageError(f"'{cleaned[:80]}' is no name for a group", do="choose a name of words")
    if any(name_key(one.name) == name_key(cleaned) for one in listed(transaction, project)):
        raise ConflictError(f"the group '{cleaned}' exists already", do="see 'sluice group list'")
    group = Group(
        id=str(uuid.uuid4()),
        project_id=project.id if project else ORGANIZATION,
        owner=project.name if project else ORGANIZATION_NAME,
        name=cleaned,
        description=description.strip()[:1024],
        created_by=by,
        created_at=float(at),
    )
    _store(transaction, group, people_actions.GROUP_CREATED, by=by, at=at)
    return group


def add_member(transaction: Transaction, group: Group, user: User, *, by: str, at: float) -> bool:
    """Make a user a member; False when it is one already."""
    if user.id in group.members or _always(group, user):
        return False
    after = replace(group, members=(*group.members, user.id))
    _store(transaction, after, people_actions.GROUP_MEMBER_ADDED, by=by, at=at, member=user)
    return True


def remove_member(transaction: Transaction, group: Group, user: User, *, by: str, at: float) -> None:
    """Take a user out; raises `ConflictError` for the local administrator, who is one by definition."""
    if user.id in group.members:
        after = replace(group, members=tuple(one for one in group.members if one != user.id))
        _store(transaction, after, people_actions.GROUP_MEMBER_REMOVED, by=by, at=at, member=user)
        return
    if _always(group, user):
        raise ConflictError(
            f"'{user.name}' is the local administrator: the last administrator cannot be removed",
            why="the account that owns the state folder has the keys and the database anyway",
        )
    raise NotFoundError(f"'{user.name}' is no member of {group.full_name}", do="see 'sluice group list'")


def delete(transaction: Transaction, group: Group, *, by: str, at: float) -> None:
    """Delete a group; raises `ConflictError` for one that is there by definition. Its roles give nobody anything."""
    if group.built_in:
        raise ConflictError(f"{group.full_name} is there by definition and stays", do="remove its members instead")
    transaction.execute(sqlalchemy.delete(user_groups).where(user_groups.c.id == group.id))
    _record(transaction, people_actions.GROUP_DELETED, group, by=by, at=at)


def broken(transaction: Transaction) -> Iterator[str]:
    """The groups that Sluice did not store as they stand."""
    for row in transaction.rows(_QUERY.order_by(user_groups.c.project_id, user_groups.c.name_key)):
        if not _is_whole(transaction, row):
            yield f"the group {row.name} of project {row.project_id} was written or edited by hand"


def vouch_for_all(transaction: Transaction) -> None:
    """Vouch for every group that is stored: when the key is made."""
    for row in transaction.rows(_QUERY):
        code = transaction.voucher.code(_KIND, *row[: len(_NAMES)])
        transaction.execute(sqlalchemy.update(user_groups).where(user_groups.c.id == row.id).values(code=code))


def has_owner(group: Group) -> bool:
    """Whether the local administrator is a member by definition."""
    return group.built_in and group.name in {COLLECTION_ADMINISTRATORS, PROJECT_ADMINISTRATORS}


def _always(group: Group, user: User) -> bool:
    return user.local and has_owner(group)


def _default(transaction: Transaction, project: projects.Project | None, name: str) -> Group:
    group_id, project_id = default_id(project, name), project.id if project else ORGANIZATION
    if witnesses.newest(transaction, _ACTIONS, group_id, project_id):
        raise _tampered(name)  # it had members, and the row is gone
    owner = project.name if project else ORGANIZATION_NAME
    return Group(id=group_id, project_id=project_id, owner=owner, name=name, built_in=True)


def _group(transaction: Transaction, row: Any, project: projects.Project | None) -> Group:
    if not _is_whole(transaction, row):
        raise _tampered(row.name)
    return Group(
        **{
            name: getattr(row, name) for name in ("id", "project_id", "name", "description", "created_by", "created_at")
        },
        owner=project.name if project else ORGANIZATION_NAME,
        members=tuple(json.loads(row.members)),
        built_in=row.id == default_id(project, row.name),
    )


def _tampered(name: str) -> SealError:
    return SealError(
        f"the group '{name}' is not as it was stored",
        why="its record was changed outside of Sluice",
        do="see 'sluice audit verify'",
    )


def _is_whole(transaction: Transaction, row: Any) -> bool:
    if not transaction.voucher.vouches(row.code, _KIND, *row[: len(_NAMES)]):
        return False
    return bool(row.sequence == witnesses.newest(transaction, _ACTIONS, row.id, row.project_id))


def _store(
    transaction: Transaction, group: Group, action: Action, *, by: str, at: float, member: User | None = None
) -> None:
    sequence = _record(transaction, action, group, by=by, at=at, member=member)
    values: dict[str, Any] = {
        "id": group.id,
        "project_id": group.project_id,
        "name": group.name,
        "name_key": name_key(group.name),
        "description": group.description,
        "members": json.dumps(list(group.members)),
        "created_by": group.created_by,
        "created_at": float(group.created_at),
        "sequence": sequence,
    }
    values["code"] = transaction.voucher.code(_KIND, *values.values())
    transaction.execute(sqlalchemy.delete(user_groups).where(user_groups.c.id == group.id))
    transaction.execute(sqlalchemy.insert(user_groups).values(**values))


def _record(
    transaction: Transaction, action: Action, group: Group, *, by: str, at: float, member: User | None = None
) -> int:
    details = {"GroupName": group.full_name, "GroupId": group.id}
    if member:
        details |= {"MemberName": member.name, "MemberId": member.id}
    event = audit.Event(
        action=action, actor=by, at=at, project_id=group.project_id, resource_id=group.id, details=details
    )
    return audit.append(transaction, event)
