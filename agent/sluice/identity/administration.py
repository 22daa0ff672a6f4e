"""Users, groups, projects and access tokens as a person administers them: who may, and then the change."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sluice.authorization import scopes
from sluice.errors import UsageError
from sluice.identity.guard import refusal_event
from sluice.storage import groups, people, pools, projects, tokens
from sluice.storage.groups import Group
from sluice.storage.people import User
from sluice.storage.refusals import RefusedError

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.secret import Secret
    from sluice.storage.engine import Transaction

DAY = 86400
MAX_DAYS = 366
"""How long a token may live at most, in days; Azure DevOps has a year."""

_PEOPLE = "vso.graph_manage"


class Administration:
    """Changes people and projects in transactions that are open, as far as `guard` allows."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._by = guard.actor.name

    def create_project(self, transaction: Transaction, name: str, *, at: float) -> projects.Project:
        """Make a project; see `storage.projects.create`."""
        self._guard.require_administrator("create a project", "vso.project_manage")
        return projects.create(transaction, name, by=self._by, at=at)

    def delete_project(self, transaction: Transaction, name: str, *, at: float) -> projects.Project:
        """Delete an empty project; see `storage.projects.delete`."""
        self._guard.require_administrator("delete a project", "vso.project_manage")
        project = projects.find(transaction, name)
        pools.drop_standard(transaction, project.id, by=self._by, at=at)
        projects.delete(transaction, project, by=self._by, at=at)
        return project

    def create_user(self, transaction: Transaction, name: str, *, at: float, display_name: str = "") -> User:
        """Make a user; see `storage.people.create`."""
        self._guard.require_administrator("create a user", _PEOPLE)
        return people.create(transaction, name, by=self._by, at=at, display_name=display_name)

    def set_disabled(self, transaction: Transaction, name: str, *, disabled: bool, at: float) -> User:
        """Disable or enable a user; see `storage.people.set_disabled`."""
        self._guard.require_administrator(f"{'disable' if disabled else 'enable'} a user", _PEOPLE)
        user = people.get(transaction, name)
        return people.set_disabled(transaction, user, disabled, by=self._by, at=at)

    def delete_user(self, transaction: Transaction, name: str, *, at: float) -> User:
        """Delete a user, out of all groups; the user's roles give nobody anything."""
        self._guard.require_administrator("delete a user", _PEOPLE)
        user = people.get(transaction, name)
        people.delete(transaction, user, by=self._by, at=at)
        for group in groups.of_user(transaction, user.id):
            groups.remove_member(transaction, group, user, by=self._by, at=at)
        return user

    def create_group(
        self, transaction: Transaction, project: projects.Project | None, name: str, *, at: float, description: str = ""
    ) -> Group:
        """Make a group; see `storage.groups.create`."""
        self._require_for(project, "create a group")
        return groups.create(transaction, project, name, by=self._by, at=at, description=description)

    def delete_group(self, transaction: Transaction, project: projects.Project, name: str, *, at: float) -> Group:
        """Delete a group; see `storage.groups.delete`."""
        group = self._group(transaction, project, name, "delete a group")
        groups.delete(transaction, group, by=self._by, at=at)
        return group

    def add_member(
        self, transaction: Transaction, project: projects.Project, name: str, user: str, *, at: float
    ) -> tuple[Group, User, bool]:
        """Make a user a member of a group; answers also whether that changes anything."""
        group = self._group(transaction, project, name, "add members to a group")
        member = people.get(transaction, user)
        return group, member, groups.add_member(transaction, group, member, by=self._by, at=at)

    def remove_member(
        self, transaction: Transaction, project: projects.Project, name: str, user: str, *, at: float
    ) -> tuple[Group, User]:
        """Take a user out of a group."""
        group = self._group(transaction, project, name, "remove members of a group")
        member = people.get(transaction, user)
        groups.remove_member(transaction, group, member, by=self._by, at=at)
        return group, member

    def create_token(
        self, transaction: Transaction, user: str, name: str, wanted: Iterable[str], *, days: float, at: float
    ) -> tuple[tokens.Token, Secret]:
        """Make a token for oneself, or as administrator for somebody else (`user`; '' is oneself)."""
        owner = self._owner(transaction, user, "create an access token for somebody else")
        self._guard.require_scope(scopes.FULL_ACCESS)  # or a token would make one that may do more than itself
        if not 0 < days <= MAX_DAYS:
            raise UsageError(f"a token lives up to {MAX_DAYS} days", do="give --days a number between 1 and that")
        chosen = scopes.check_scopes(wanted)
        expires = at + days * DAY
        return tokens.create(transaction, owner, name, chosen, expires_at=expires, by=self._by, at=at)

    def revoke_token(
        self, transaction: Transaction, user: str, name: str, *, at: float
    ) -> tuple[tokens.Token, User, bool]:
        """End a token; answers also whether that changes anything."""
        owner = self._owner(transaction, user, "revoke somebody else's access token")
        token = tokens.get(transaction, owner, name)
        return token, owner, tokens.revoke(transaction, token, owner, by=self._by, at=at)

    def tokens_of(self, transaction: Transaction, user: str) -> tuple[User, tuple[tokens.Token, ...]]:
        """The tokens of oneself, or as administrator of somebody else."""
        owner = self._owner(transaction, user, "see somebody else's access tokens")
        return owner, tokens.of_user(transaction, owner.id)

    def _owner(self, transaction: Transaction, user: str, what: str) -> User:
        owner = people.get(transaction, user or self._guard.actor.id)
        if owner.id != self._guard.actor.id:
            self._guard.require_administrator(what)
        return owner

    def _group(self, transaction: Transaction, project: projects.Project, name: str, what: str) -> Group:
        group = groups.get(transaction, project, name)
        owner = projects.get(transaction, group.project_id) if group.project_id else None
        self._require_for(owner, what)
        return group

    def _require_for(self, project: projects.Project | None, what: str) -> None:
        """Raise `NotPermittedError` unless the person administers the project, or (None) the organization."""
        self._guard.require_scope(_PEOPLE)
        administrators = groups.default_id(project, groups.PROJECT_ADMINISTRATORS)
        if project is None or administrators not in self._guard.actor.subjects:
            if project is not None and not self._guard.actor.administrator:
                raise RefusedError(
                    f"you may not {what}",
                    why="that takes an administrator of the project",
                    do=f"ask a member of [{project.name}]\\{groups.PROJECT_ADMINISTRATORS}",
                    event=refusal_event(self._guard.actor, what, "project", project.name),
                )
            self._guard.require_administrator(what, _PEOPLE)
