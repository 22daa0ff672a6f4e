"""Gateway of check configurations: what is to be asked before a stage uses a resource. Every change is audited.

What is stored is vouched for, and the audit log knows which checks there are: one that was taken away, or put back, by
hand is found when it matters, and nothing passes then.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field, fields, replace
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import SealError
from sluice.storage import actions, audit
from sluice.storage.action import Action
from sluice.storage.actions import CHECK_CREATED, CHECK_DELETED, CHECK_UPDATED
from sluice.storage.engine import Row, Transaction
from sluice.storage.permissions import Resource
from sluice.storage.tables import audit as audit_log
from sluice.storage.tables_checks import check_configurations, check_secrets
from sluice.values import dataclass

_KIND = "check configuration"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationRow:
    """A check on a resource as it is stored; `settings` are the public ones, `secret_names` those that are sealed."""

    id: int = 0
    project_id: int
    resource_type: str
    resource_id: str
    kind: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secret_names: tuple[str, ...] = ()
    timeout: int
    retry_interval: int
    disabled: bool = False
    version: int = 1
    created_by: str
    created_at: float
    modified_by: str
    modified_at: float
    sequence: int = 0

    @property
    def resource(self) -> Resource:
        """The resource that it is on."""
        return Resource(self.project_id, self.resource_id, self.resource_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedSettings:
    """The secret settings of a check, sealed for one version of it."""

    version: int
    key_id: str
    wrapped_key: bytes
    sealed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Who changes a check, when, and what the audit log calls its kind and its resource."""

    by: str
    at: float
    kind: str
    resource_type: str
    resource: str


_COLUMNS = tuple(column.name for column in fields(ConfigurationRow))
_ALL = select(*(check_configurations.c[name] for name in _COLUMNS), check_configurations.c.code)
_OF_RESOURCE = (
    (check_configurations.c.project_id == bindparam("project"))
    & (check_configurations.c.resource_type == bindparam("type"))
    & (check_configurations.c.resource_id == bindparam("resource"))
)
_CHANGES = (
    select(audit_log.c.sequence, audit_log.c.action, audit_log.c.details)
    .where(
        audit_log.c.resource_id == bindparam("resource"),
        audit_log.c.resource_version == 0,
        audit_log.c.project_id == bindparam("project"),
        audit_log.c.action.in_([CHECK_CREATED.id, CHECK_UPDATED.id, CHECK_DELETED.id]),
    )
    .order_by(audit_log.c.sequence)
)


def of_resource(tx: Transaction, resource: Resource) -> list[ConfigurationRow]:
    """The checks of a resource in the order in which they were made, disabled ones too.

    Raises `SealError` when they are not those that Sluice stored.
    """
    key = {"project": resource.project_id, "type": resource.type, "resource": resource.id}
    rows = tx.rows(_ALL.where(_OF_RESOURCE).order_by(check_configurations.c.id), key)
    recorded = _recorded(tx, resource)
    found = [_row(row) for row in rows]
    whole = all(_is_whole(tx, row) for row in rows)
    if not whole or {one.id: one.sequence for one in found} != recorded:
        raise SealError(
            f"the checks of {resource.type} {resource.id} are not those that Sluice stored",
            why="somebody edited them in the database, and nothing passes them now",
            do="see 'sluice audit verify', and put the database back from a backup",
        )
    return found


def get(tx: Transaction, project_id: int, check_id: int) -> ConfigurationRow | None:
    """One check of a project; raises `SealError` as `of_resource` does."""
    query = _ALL.where(check_configurations.c.project_id == project_id, check_configurations.c.id == check_id)
    row = tx.row(query)
    if row is None:
        return None
    return next((one for one in of_resource(tx, _row(row).resource) if one.id == check_id), None)


def listed(tx: Transaction, project_id: int) -> list[ConfigurationRow]:
    """The checks of a project; of a resource whose checks were edited, nothing is hidden here."""
    query = _ALL.where(check_configurations.c.project_id == project_id).order_by(check_configurations.c.id)
    return [_row(row) for row in tx.rows(query)]


def add(tx: Transaction, row: ConfigurationRow, change: Change) -> ConfigurationRow:
    """Store a new check and answer it with its number."""
    values = _values(replace(row, version=1, sequence=0))
    del values["id"]
    number = tx.insert(sqlalchemy.insert(check_configurations).values(**values))
    return _store(tx, replace(row, id=number, version=1), change, CHECK_CREATED)


def update(tx: Transaction, row: ConfigurationRow, change: Change) -> ConfigurationRow:
    """Store a check's new state as its next version."""
    return _store(tx, replace(row, version=row.version + 1), change, CHECK_UPDATED)


def remove(tx: Transaction, row: ConfigurationRow, change: Change) -> None:
    """Remove a check. Checkpoints that have begun to ask it go on doing so."""
    tx.execute(sqlalchemy.delete(check_secrets).where(check_secrets.c.configuration_id == row.id))
    tx.execute(sqlalchemy.delete(check_configurations).where(check_configurations.c.id == row.id))
    _record(tx, row, change, CHECK_DELETED)


def remove_of_resource(tx: Transaction, resource: Resource, change: Change) -> None:
    """Remove the checks of a resource that is deleted, or leaves its project; `change` says who, when and of what."""
    for row in of_resource(tx, resource):
        remove(tx, row, replace(change, kind=row.kind))


def sealed(tx: Transaction, check_id: int) -> SealedSettings | None:
    """The secret settings of a check."""
    row = tx.row(select(check_secrets).where(check_secrets.c.configuration_id == check_id))
    if row is None:
        return None
    return SealedSettings(version=row.version, key_id=row.key_id, wrapped_key=row.wrapped_key, sealed=row.sealed)


def set_sealed(tx: Transaction, check_id: int, settings: SealedSettings | None) -> None:
    """Store the secret settings of a check, or take them away."""
    tx.execute(sqlalchemy.delete(check_secrets).where(check_secrets.c.configuration_id == check_id))
    if settings is not None:
        values = {name: getattr(settings, name) for name in SealedSettings.__slots__}
        tx.execute(sqlalchemy.insert(check_secrets).values(configuration_id=check_id, **values))


def broken(tx: Transaction) -> Iterator[str]:
    """The checks that are not as they were stored, and those that are gone."""
    places = select(
        check_configurations.c.project_id, check_configurations.c.resource_type, check_configurations.c.resource_id
    ).distinct()
    resources = {Resource(project, resource, kind) for project, kind, resource in tx.rows(places)}
    for project, resource_id, details in tx.rows(_MENTIONED):
        resources.add(Resource(project, resource_id, str(_details(details).get("Type", ""))))
    for resource in sorted(resources, key=lambda one: (one.project_id, one.type, one.id)):
        try:
            of_resource(tx, resource)
        except SealError as error:
            yield error.what


_MENTIONED = select(audit_log.c.project_id, audit_log.c.resource_id, audit_log.c.details).where(
    audit_log.c.action == CHECK_CREATED.id
)


def vouch_for_all(tx: Transaction) -> None:
    """Vouch for every check that is stored: when the key is made."""
    for row in tx.rows(_ALL):
        _set_code(tx, _row(row))


def _store(tx: Transaction, row: ConfigurationRow, change: Change, action: Action) -> ConfigurationRow:
    row = replace(row, modified_by=change.by, modified_at=change.at)
    row = replace(row, sequence=_record(tx, row, change, action))
    values = _values(row)
    tx.execute(sqlalchemy.update(check_configurations).where(check_configurations.c.id == row.id).values(**values))
    _set_code(tx, row)
    return row


def _set_code(tx: Transaction, row: ConfigurationRow) -> None:
    code = tx.voucher.code(_KIND, *_values(row).values())
    tx.execute(sqlalchemy.update(check_configurations).where(check_configurations.c.id == row.id).values(code=code))


def _is_whole(tx: Transaction, row: Row) -> bool:
    return tx.voucher.vouches(row.code, _KIND, *_values(_row(row)).values())


def _recorded(tx: Transaction, resource: Resource) -> dict[int, int]:
    """The checks that the audit log says there are, each with the entry of its newest change."""
    found: dict[int, int] = {}
    for sequence, action, text in tx.rows(_CHANGES, {"resource": resource.id, "project": resource.project_id}):
        details = _details(text)
        if details.get("Type") != resource.type:
            continue
        if action == actions.CHECK_DELETED.id:
            found.pop(details.get("CheckId", 0), None)
        else:
            found[details.get("CheckId", 0)] = sequence
    return found


def _details(text: str) -> Mapping[str, Any]:
    found = json.loads(text)
    return found if isinstance(found, dict) else {}


def _record(tx: Transaction, row: ConfigurationRow, change: Change, action: Action) -> int:
    details = {
        "CheckId": row.id,
        "Version": row.version,
        "Kind": change.kind,
        "Type": row.resource_type,
        "ResourceType": change.resource_type,
        "ResourceName": change.resource,
        "IsDisabled": row.disabled,
    }
    event = audit.Event(
        action=action,
        actor=change.by,
        at=change.at,
        project_id=row.project_id,
        resource_id=row.resource_id,
        details=details,
    )
    return audit.append(tx, event)


def _values(row: ConfigurationRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _COLUMNS}
    values["settings"] = json.dumps(dict(row.settings), ensure_ascii=False, sort_keys=True)
    values["secret_names"] = json.dumps(list(row.secret_names))
    values["disabled"] = bool(row.disabled)
    for name in ("created_at", "modified_at"):
        values[name] = float(values[name])
    return values


def _row(row: Row) -> ConfigurationRow:
    values = dict(zip(_COLUMNS, row[: len(_COLUMNS)], strict=True))
    values["settings"] = json.loads(values["settings"])
    values["secret_names"] = tuple(json.loads(values["secret_names"]))
    return ConfigurationRow(**values)
