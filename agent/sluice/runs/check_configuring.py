"""Configures checks on resources: whose kind declares what, stored with its secrets sealed, every change audited."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import TYPE_CHECKING

from sluice.authorization.checks import configuring
from sluice.authorization.checks.approval import APPROVER_IDS, names_in
from sluice.authorization.checks.kinds import APPROVAL, EXCLUSIVE_LOCK
from sluice.authorization.resources import (
    ENDPOINT,
    ENVIRONMENT,
    PROTECTED,
    QUEUE,
    REPOSITORY,
    SECURE_FILE,
    VARIABLE_GROUP,
)
from sluice.authorization.texts import TYPE_LABELS
from sluice.connections import lookup, vault
from sluice.connections.sealing import Identity
from sluice.errors import ConflictError, NotFoundError
from sluice.library import lookup as groups
from sluice.library import pools, repositories, secure_files
from sluice.library.store import resource_of
from sluice.rights import Right
from sluice.runs.checking import LINKED_GROUP, SETTINGS, Criteria, open_secrets
from sluice.storage import check_configurations as rows
from sluice.storage import environments, people, permissions, projects
from sluice.storage import groups as user_groups
from sluice.storage.check_configurations import Change, ConfigurationRow, SealedSettings
from sluice.storage.permissions import Resource
from sluice.storage.pools import resource_of as pool_resource
from sluice.storage.repositories import name_of
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.hooks.checks import CheckType
    from sluice.runs.orchestrator import Orchestrator
    from sluice.secret import Secret
    from sluice.storage.engine import Transaction

KINDS = PROTECTED
"""The kinds of resources that checks can be on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """What a person enters of a check; None for a time keeps the one that is there, or the kind's own."""

    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    timeout: int | None = None
    retry_interval: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class On:
    """A resource that checks are on, as a person calls it."""

    resource: Resource
    name: str

    @property
    def label(self) -> str:
        """What kind of resource it is."""
        return TYPE_LABELS.get(self.resource.type, self.resource.type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configurations:
    """The checks of a database as one person changes them."""

    orchestrator: Orchestrator
    guard: Guard

    def find(self, transaction: Transaction, project: str, kind: str, name: str) -> On:
        """The resource of that kind and name; raises `NotFoundError`."""
        project_id = projects.find(transaction, project).id
        return _FIND[kind](transaction, project_id, name, self.guard)

    def add(self, project: str, kind_of: str, name: str, kind: CheckType, entered: Entered) -> ConfigurationRow:
        """Put a check on a resource. Raises `UsageError` for settings that do not fit the kind."""
        with self.orchestrator.database.write() as transaction:
            on = self.find(transaction, project, kind_of, name)
            self._require(transaction, on)
            if kind is EXCLUSIVE_LOCK and any(
                one.kind == kind.name for one in rows.of_resource(transaction, on.resource)
            ):
                raise ConflictError(f"{on.label.lower()} '{on.name}' has an exclusive lock already")
            settings = self._connections(transaction, on, kind, entered.settings)
            ids = self._people(transaction, on, kind, settings)
            fitted = configuring.fit(
                kind,
                settings,
                entered.secrets,
                timeout=entered.timeout,
                retry_interval=entered.retry_interval,
                criteria=Criteria(),
            )
            now, by = self.orchestrator.clock(), self.guard.actor.name
            row = ConfigurationRow(
                project_id=on.resource.project_id,
                resource_type=on.resource.type,
                resource_id=on.resource.id,
                kind=kind.name,
                settings={**fitted.settings, **ids},
                secret_names=tuple(sorted(fitted.secrets)),
                timeout=fitted.timeout,
                retry_interval=fitted.retry_interval,
                created_by=by,
                created_at=now,
                modified_by=by,
                modified_at=now,
            )
            stored = rows.add(transaction, row, self._change(on, kind.label))
            self._seal(transaction, stored, fitted.secrets)
            return stored

    def update(self, project: str, check_id: int, entered: Entered) -> ConfigurationRow:
        """Change a check; what is not entered stays. A checkpoint that has begun goes on with what it began with.

        Secrets were given for an address: with another one they are dropped, and have to be given again.
        """
        with self.orchestrator.database.write() as transaction:
            row, on = self.get(transaction, project, check_id)
            self._require(transaction, on)
            kind = self.orchestrator.kinds().get(row.kind)
            dropped = {name.casefold() for name in (*entered.unset, *entered.settings, *entered.secrets)}
            before = {key: value for key, value in row.settings.items() if key.casefold() not in dropped}
            meant = before.pop(APPROVER_IDS, "")
            stored = open_secrets(self.orchestrator, transaction, row.id, row.version)
            kept = {key: secret for key, secret in stored.items() if key.casefold() not in dropped}
            settings = before | dict(self._connections(transaction, on, kind, entered.settings))
            ids = self._people(transaction, on, kind, settings, meant="" if "approvers" in dropped else meant)
            if _leads_elsewhere(kind, row.settings, settings):
                kept = {}
            fitted = configuring.fit(
                kind,
                settings,
                {**kept, **entered.secrets},
                timeout=row.timeout if entered.timeout is None else entered.timeout,
                retry_interval=row.retry_interval if entered.retry_interval is None else entered.retry_interval,
                criteria=Criteria(),
            )
            changed = replace(
                row,
                settings={**fitted.settings, **ids},
                secret_names=tuple(sorted(fitted.secrets)),
                timeout=fitted.timeout,
                retry_interval=fitted.retry_interval,
            )
            if changed == row and not entered.secrets:
                return row
            after = rows.update(transaction, changed, self._change(on, kind.label))
            self._seal(transaction, after, fitted.secrets)
            return after

    def set_disabled(self, project: str, check_id: int, *, disabled: bool) -> ConfigurationRow:
        """Leave a check out of the checkpoints that begin from now on, or take it in again."""
        with self.orchestrator.database.write() as transaction:
            row, on = self.get(transaction, project, check_id)
            self._require(transaction, on)
            if row.disabled == disabled:
                return row
            stored = open_secrets(self.orchestrator, transaction, row.id, row.version)
            after = rows.update(transaction, replace(row, disabled=disabled), self._change(on, self._label(row)))
            self._seal(transaction, after, stored)
            return after

    def remove(self, project: str, check_id: int) -> ConfigurationRow:
        """Remove a check. Checkpoints that have begun to ask it go on doing so."""
        with self.orchestrator.database.write() as transaction:
            row, on = self.get(transaction, project, check_id)
            self._require(transaction, on)
            rows.remove(transaction, row, self._change(on, self._label(row)))
            return row

    def get(self, transaction: Transaction, project: str, check_id: int) -> tuple[ConfigurationRow, On]:
        """A check by its number, and what it is on; raises `NotFoundError`."""
        project_id = projects.find(transaction, project).id
        row = rows.get(transaction, project_id, check_id)
        if row is None or not self.guard.allows(transaction, Right.SEE, row.resource):
            raise NotFoundError(f"there is no check {check_id}", do="see 'sluice check list'")
        return row, self.on(transaction, row.resource)

    def listed(self, project: str, *, kind: str = "", name: str = "") -> list[tuple[ConfigurationRow, On]]:
        """The checks of a project that the person sees, or those of one resource."""
        with self.orchestrator.database.read() as transaction:
            if kind:
                on = self.find(transaction, project, kind, name)
                return [(row, on) for row in rows.of_resource(transaction, on.resource)]
            found = rows.listed(transaction, projects.find(transaction, project).id)
            return [
                (row, self.on(transaction, row.resource))
                for row in found
                if self.guard.allows(transaction, Right.SEE, row.resource)
            ]

    def on(self, transaction: Transaction, resource: Resource) -> On:
        """What a resource is called now; its id where it is gone."""
        try:
            return _FIND[resource.type](transaction, resource.project_id, resource.id, self.guard)
        except NotFoundError:
            return On(resource=resource, name=resource.id)

    def _require(self, transaction: Transaction, on: On) -> None:
        self.guard.require(transaction, Right.MANAGE_CHECKS, on.resource, on.name)

    def _label(self, row: ConfigurationRow) -> str:
        kind = self.orchestrator.kinds().find(row.kind)
        return kind.label if kind else row.kind

    def _change(self, on: On, label: str) -> Change:
        return Change(
            by=self.guard.actor.name,
            at=self.orchestrator.clock(),
            kind=label,
            resource_type=on.label.lower(),
            resource=on.name,
        )

    def _connections(
        self, transaction: Transaction, on: On, kind: CheckType, settings: Mapping[str, str]
    ) -> Mapping[str, str]:
        """The settings with connections and groups by their ids; who configures them must be allowed to use them."""
        found = dict(settings)
        for name, value in settings.items():
            if name.casefold() == LINKED_GROUP.casefold() and value.strip() and kind.field(name):
                group = groups.get(transaction, on.resource.project_id, value.strip(), self.guard)
                self.guard.require(transaction, Right.USE, resource_of(group), group.name)
                found[name] = group.id
                continue
            declared = kind.field(name)
            if declared is None or declared.kind != "connection" or not value.strip():
                continue
            record = lookup.get(transaction, on.resource.project_id, value.strip(), self.guard)
            resource = Resource(record.project_id, record.id)
            self.guard.require(transaction, Right.USE, resource, record.name)
            found[name] = record.id
        return found

    def _people(
        self, transaction: Transaction, on: On, kind: CheckType, settings: Mapping[str, str], *, meant: str = ""
    ) -> dict[str, str]:
        """The ids of the approvers, as a setting; raises for those whom nobody knows: they could never approve.

        `meant` are the ids of approvers who stay as they are, whoever has their names by now.
        """
        if kind is not APPROVAL:
            return {}
        project = projects.get(transaction, on.resource.project_id)
        by_key = {name.casefold(): value for name, value in settings.items()}
        ids: dict[str, list[str]] = {"approvers": [], "blockedApprovers": []}
        for key, found in ids.items():
            for name in names_in(by_key.get(key.casefold(), "")):
                one = people.find(transaction, name) or user_groups.find(transaction, project, name)
                if one is not None:
                    found.append(one.id)
                else:
                    raise NotFoundError(
                        f"there is no user and no group '{name}'", do="see 'sluice user list' and 'sluice group list'"
                    )
        return {APPROVER_IDS: meant or ",".join(ids["approvers"])}

    def _seal(self, transaction: Transaction, row: ConfigurationRow, secrets: Mapping[str, Secret]) -> None:
        if not secrets:
            rows.set_sealed(transaction, row.id, None)
            return
        sealer = self.orchestrator.store.sealer
        text = json.dumps({key: secret.reveal() for key, secret in secrets.items()}).encode("ascii")
        sealed = sealer.seal_under(
            vault.master_key(transaction, sealer), Identity(SETTINGS, str(row.id), row.version), text
        )
        rows.set_sealed(
            transaction,
            row.id,
            SealedSettings(
                version=row.version, key_id=sealed.key_id, wrapped_key=sealed.wrapped_key, sealed=sealed.sealed
            ),
        )


def _connection(transaction: Transaction, project_id: int, name: str, guard: Guard) -> On:
    record = lookup.get(transaction, project_id, name, guard)
    return On(resource=Resource(project_id, record.id), name=record.name)


def _group(transaction: Transaction, project_id: int, name: str, guard: Guard) -> On:
    group = groups.get(transaction, project_id, name, guard)
    return On(resource=resource_of(group), name=group.name)


def _environment(transaction: Transaction, project_id: int, name: str, guard: Guard) -> On:
    found = environments.find(transaction, project_id, name)
    if found is None or not guard.allows(transaction, Right.SEE, environments.resource_of(found)):
        raise NotFoundError(f"there is no environment '{name}'", do="see 'sluice environment list'")
    return On(resource=environments.resource_of(found), name=found.name)


def _file(transaction: Transaction, project_id: int, name: str, guard: Guard) -> On:
    row = secure_files.get(transaction, project_id, name, guard)
    return On(resource=Resource(project_id, row.id, permissions.SECURE_FILE), name=row.name)


def _repository(transaction: Transaction, project_id: int, name: str, guard: Guard) -> On:
    resource = repositories.get(transaction, project_id, name, guard)
    return On(resource=resource, name=name_of(resource))


def _pool(transaction: Transaction, project_id: int, name: str, guard: Guard) -> On:
    found = pools.get(transaction, project_id, name, guard)
    return On(resource=pool_resource(found), name=found.name)


def _leads_elsewhere(kind: CheckType, before: Mapping[str, str], after: Mapping[str, str]) -> bool:
    """Whether a setting that says where the far side is has changed."""
    folded = {name.casefold(): value.strip() for name, value in after.items()}
    return any(
        one.address and folded.get(one.key.casefold(), one.default) != before.get(one.key, "") for one in kind.fields
    )


_FIND: Mapping[str, Callable[[Transaction, int, str, Guard], On]] = {
    ENDPOINT: _connection,
    VARIABLE_GROUP: _group,
    ENVIRONMENT: _environment,
    SECURE_FILE: _file,
    REPOSITORY: _repository,
    QUEUE: _pool,
}
