"""Who acts, and what a person may do with a resource: the words that every layer shares."""

from __future__ import annotations

import enum

from sluice.values import dataclass

OWNER_ID = "00000000-0000-4000-8000-000000000001"
"""The id of the local administrator: whoever owns the state folder, and with it the keys and the database."""


class Right(enum.StrEnum):
    """What may be done with a resource, or (`CREATE`) in a project."""

    SEE = "see"
    USE = "use"
    PERMIT = "permit"
    OPEN_ACCESS = "openAccess"
    EDIT = "edit"
    EDIT_PROJECT_FIELDS = "editProjectFields"
    DELETE = "delete"
    SHARE = "share"
    MANAGE_ROLES = "manageRoles"
    MANAGE_ORGANIZATION_ROLES = "manageOrganizationRoles"
    MANAGE_CHECKS = "manageChecks"
    BYPASS = "bypass"
    CREATE = "create"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person who acts, as found out once for a command or a request.

    `subjects` are the ids that roles and approvals are given to: the person's own, and those of all groups the person
    is a member of; `groups` their names. An `administrator` (of the organization) may do everything. `scopes` are those
    of the access token that speaks for the person, None when no token limits what may be done.
    """

    id: str
    name: str
    subjects: frozenset[str]
    groups: tuple[str, ...] = ()
    administrator: bool = False
    scopes: frozenset[str] | None = None


def local_administrator(name: str) -> Actor:
    """The owner of the installation: administrator by definition."""
    return Actor(id=OWNER_ID, name=name, subjects=frozenset({OWNER_ID}), administrator=True)
