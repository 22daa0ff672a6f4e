"""The store of variable groups: create, update, delete and open them, every change with its audit entry."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.connections import vault as keys
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.homes import home_for
from sluice.connections.references import resolve
from sluice.errors import ConflictError, SealError
from sluice.library import journal, lookup, vault
from sluice.library.changes import Contents, check_group_description, check_group_name, fit_draft, merge
from sluice.library.group import GroupDraft, GroupUpdate, OpenedGroup, VariableGroup
from sluice.rights import Right
from sluice.secret import Secret
from sluice.storage import actions, audit, check_configurations, permissions, policies, projects, usage
from sluice.storage import variable_groups as rows
from sluice.storage.names import name_key
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.references import Sources
    from sluice.connections.sealing import Sealer
    from sluice.storage.engine import Database, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupOutcome:
    """What a change has done. `revoked` are the permits of a group that was not the one that Sluice had stored."""

    group: VariableGroup
    changed: tuple[str, ...] = ()
    revoked: tuple[permissions.Permission, ...] = ()
    warnings: tuple[str, ...] = ()


class VariableGroupStore:
    """Variable groups of one database.

    Methods with a `transaction` argument join one that is open; the others make their own. `clock` answers seconds
    since the epoch, `sources` are the secret sources of plugins (those installed when None). `guard` decides what the
    person who works with it may do; what that person may not see is not there.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        *,
        clock: Callable[[], float] = time.time,
        sources: Sources = None,
        guard: Guard = UNRESTRICTED,
    ) -> None:
        self.database = database
        self.guard = guard
        self._sealer = sealer
        self._clock = clock
        self._sources = sources

    def get(self, project: str, name: str) -> VariableGroup:
        """The group of that name or id in a project; raises `NotFoundError` with the nearest name."""
        with self.database.read() as transaction:
            return lookup.get(transaction, projects.find(transaction, project).id, name, self.guard)

    def list(self, project: str) -> tuple[VariableGroup, ...]:
        """The groups of a project, by name."""
        with self.database.read() as transaction:
            return lookup.listed(transaction, projects.find(transaction, project).id, self.guard)

    def create(self, project: str, draft: GroupDraft, *, by: str, all_pipelines: bool = False) -> GroupOutcome:
        """Store a new group; raises `ConflictError` when the name is taken, and as `fit_draft` does."""
        with self.database.write() as transaction:
            return self.create_in(transaction, project, draft, by=by, all_pipelines=all_pipelines)

    def create_in(
        self, transaction: Transaction, project: str, draft: GroupDraft, *, by: str, all_pipelines: bool = False
    ) -> GroupOutcome:
        """As `create`, in a transaction that is open."""
        now = self._clock()
        home = home_for(transaction, self.guard, project, at=now)
        self.guard.require(transaction, Right.CREATE, permissions.Resource(home.id, "", permissions.VARIABLE_GROUP))
        contents = fit_draft(draft, self._sources)
        group = _new_group(home.id, draft, contents, by=by, at=now)
        if rows.by_name(transaction, home.id, group.name) is not None:
            raise ConflictError(
                f"the variable group '{group.name}' exists already",
                do="choose another name, or change it with 'sluice variable-group update'",
            )
        row = lookup.to_row(group)
        master = keys.master_key(transaction, self._sealer)
        number = rows.insert(transaction, row, vault.seal_secrets(self._sealer, master, row, contents.secrets))
        group = replace(group, number=number)
        audit.append(transaction, journal.changed(actions.VARIABLE_GROUP_CREATED, group, home, by=by, at=now))
        self.guard.created(transaction, resource_of(group), group.name, at=now)
        if all_pipelines:
            self.guard.require(transaction, Right.OPEN_ACCESS, resource_of(group), group.name)
            permissions.grant(transaction, resource_of(group), permissions.ALL_PIPELINES, by=by, at=now)
        return GroupOutcome(group=group, changed=contents.changed, warnings=contents.warnings)

    def update(self, project: str, name: str, update: GroupUpdate, *, by: str) -> GroupOutcome:
        """Change a group; what the update doesn't name stays, its id and its permits too."""
        with self.database.write() as transaction:
            return self.update_in(transaction, project, name, update, by=by)

    def update_in(
        self, transaction: Transaction, project: str, name: str, update: GroupUpdate, *, by: str
    ) -> GroupOutcome:
        """As `update`, in a transaction that is open."""
        home = projects.find(transaction, project)
        group = lookup.get(transaction, home.id, name, self.guard)
        now = self._clock()
        contents = merge(group, update, self._sources)
        after = _updated_group(group, update, contents, by=by, at=now)
        changed = (*_renamed(group, after), *contents.changed)
        if not changed:
            return GroupOutcome(group=group)
        self.guard.require(transaction, Right.EDIT, resource_of(group), group.name)
        self._refuse_taken_name(transaction, group, after)
        secrets, trusted = self._secrets_after(transaction, group, contents)
        row = lookup.to_row(after)
        master = self._sealer.provider.current()
        rows.replace(transaction, row, vault.seal_secrets(self._sealer, master, row, secrets))
        more = {"Changed": list(changed)}
        event = journal.changed(actions.VARIABLE_GROUP_MODIFIED, after, home, by=by, at=now, more=more)
        audit.append(transaction, event)
        revoked = () if trusted else _revoke_all(transaction, after, by=by, at=now)
        return GroupOutcome(group=after, changed=changed, revoked=revoked, warnings=contents.warnings)

    def let_in(self, project: str, name: str, untrusted: str, *, by: str) -> bool:
        """Say which untrusted runs may have a group that holds secrets (`none`, `pull-requests`, `forks`).

        False when that was so already.
        """
        with self.database.write() as transaction:
            group = lookup.get(transaction, projects.find(transaction, project).id, name, self.guard)
            self.guard.require(transaction, Right.EDIT, resource_of(group), group.name)
            return policies.let_in(transaction, resource_of(group), group.name, untrusted, by=by, at=self._clock())

    def delete(self, project: str, name: str, *, by: str) -> VariableGroup:
        """Delete a group and its permits; its usage history and audit log stay."""
        with self.database.write() as transaction:
            home = projects.find(transaction, project)
            group = lookup.get(transaction, home.id, name, self.guard)
            self.guard.require(transaction, Right.DELETE, resource_of(group), group.name)
            now = self._clock()
            _revoke_all(transaction, group, by=by, at=now)
            policies.forget(transaction, resource_of(group))
            change = check_configurations.Change(
                by=by, at=now, kind="", resource_type="variable group", resource=group.name
            )
            check_configurations.remove_of_resource(transaction, resource_of(group), change)
            rows.remove(transaction, group.id)
            audit.append(transaction, journal.changed(actions.VARIABLE_GROUP_DELETED, group, home, by=by, at=now))
            return group

    def permissions(self, group: VariableGroup) -> tuple[permissions.Permission, ...]:
        """The permits of a group, open access first."""
        with self.database.read() as transaction:
            return permissions.of_resource(transaction, resource_of(group))

    def history(self, group: VariableGroup, *, limit: int = 100) -> tuple[usage.UsageRecord, ...]:
        """The uses of a group, newest first."""
        with self.database.read() as transaction:
            return usage.history(transaction, group.id, project_id=group.project_id, limit=limit)

    def fetch(self, group: VariableGroup) -> dict[str, Secret]:
        """What the group's references name, read now; raises a `SluiceError` that says what is missing.

        It may ask another machine, so it is to be called outside of any transaction, for `open_in`.
        """
        return {name: resolve(reference, self._sources) for name, reference in group.references.items()}

    def open_in(
        self, transaction: Transaction, group: VariableGroup, fetched: Mapping[str, Secret], use: usage.Use
    ) -> OpenedGroup:
        """Release a group with its secrets for one use, in a transaction in which the caller has checked the permit.

        `fetched` is what `fetch` answered for this version of the group. The audit log and the usage history are
        written in the same transaction: the values may be handed on when it is stored. Raises `SealError`, and
        `ConflictError` when `fetched` is of another version.
        """
        now = self._clock()
        stored = vault.open_secrets(transaction, self._sealer, group)
        if fetched.keys() != group.references.keys():
            raise ConflictError(f"the variable group '{group.name}' was changed while it was opened")
        usage.started(transaction, group.id, use, at=now)
        project = projects.get(transaction, group.project_id)
        audit.append(
            transaction, journal.opened(group, project, use, fetched=fetched, voucher=transaction.voucher, at=now)
        )
        return OpenedGroup(id=group.id, name=group.name, variables={**group.variables, **stored, **fetched})

    def _refuse_taken_name(self, transaction: Transaction, before: VariableGroup, after: VariableGroup) -> None:
        if name_key(before.name) == name_key(after.name):
            return
        if rows.by_name(transaction, after.project_id, after.name) is not None:
            raise ConflictError(f"the variable group '{after.name}' exists already", do="choose another name")

    def _secrets_after(
        self, transaction: Transaction, group: VariableGroup, contents: Contents
    ) -> tuple[dict[str, Secret], bool]:
        """The secrets to store, and whether the group was the one that Sluice had stored."""
        entered = dict(contents.secrets)
        try:
            stored = vault.open_secrets(transaction, self._sealer, group)
        except SealError:
            # the way back after a lost key: every secret is entered again; anything less would vouch for the rest
            if not group.secrets or not group.secrets <= frozenset(entered):
                raise
            return entered, False
        return {**{name: secret for name, secret in stored.items() if name in contents.kept}, **entered}, True


def resource_of(group: VariableGroup) -> permissions.Resource:
    """The group as a protected resource."""
    return permissions.Resource(group.project_id, group.id, permissions.VARIABLE_GROUP)


def _revoke_all(
    transaction: Transaction, group: VariableGroup, *, by: str, at: float
) -> tuple[permissions.Permission, ...]:
    resource_type = permissions.VARIABLE_GROUP
    return permissions.revoke_everywhere(transaction, group.id, by=by, at=at, resource_type=resource_type)


def _new_group(project_id: int, draft: GroupDraft, contents: Contents, *, by: str, at: float) -> VariableGroup:
    return VariableGroup(
        id=str(uuid.uuid4()),
        project_id=project_id,
        name=check_group_name(draft.name),
        description=check_group_description(draft.description),
        version=1,
        variables=contents.variables,
        secrets=frozenset(contents.secrets),
        references=contents.references,
        created_by=by,
        created_at=at,
        modified_by=by,
        modified_at=at,
    )


def _updated_group(
    group: VariableGroup, update: GroupUpdate, contents: Contents, *, by: str, at: float
) -> VariableGroup:
    return replace(
        group,
        name=group.name if update.name is None else check_group_name(update.name),
        description=group.description if update.description is None else check_group_description(update.description),
        version=group.version + 1,
        variables=contents.variables,
        secrets=frozenset(contents.secrets) | contents.kept,
        references=contents.references,
        modified_by=by,
        modified_at=at,
    )


def _renamed(before: VariableGroup, after: VariableGroup) -> tuple[str, ...]:
    return tuple(name for name in ("name", "description") if getattr(before, name) != getattr(after, name))
