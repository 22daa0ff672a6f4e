"""Connections as code: brings the store to what a document says, and writes a document of what the store has.

A document never holds a secret, only references; what it does not mention stays as it is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Literal

from sluice.connections import lookup
from sluice.connections.catalogue import Catalogue
from sluice.connections.connection import ConnectionRecord, Draft, Key, Update
from sluice.connections.homes import home_for
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, Location, SluiceError
from sluice.rights import Right
from sluice.storage import permissions, projects
from sluice.storage.engine import Transaction
from sluice.storage.names import is_guid, name_key
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A connection of a document. `all_pipelines` is None when the document doesn't say, as are other parts."""

    draft: Draft
    description: str | None = None
    disabled: bool | None = None
    all_pipelines: bool | None = None
    untrusted: str | None = None
    expires: str | None = None
    where: Location | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What applying does to one connection; `details` name what differs, `notes` are for the person."""

    record: ConnectionRecord
    action: Literal["create", "update", "unchanged"]
    details: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The connection's name."""
        return self.record.name


def apply(
    store: ConnectionStore, project: str, wanted: Sequence[Wanted], *, by: str, at: float, plan_only: bool = False
) -> tuple[Change, ...]:
    """Bring the connections to what is wanted, all of them or none; a second time changes nothing.

    Raises a `SluiceError` that carries the place of the connection that does not fit.
    """
    with store.database.write() as transaction:
        home = home_for(transaction, store.guard, project, at=at)
        _refuse_twins(wanted)
        applied = _store_all(store, transaction, home, wanted, by=by, at=at)
        changes = []
        for one, change in zip(wanted, applied, strict=True):
            with _at(one):
                changes.append(_grant(store, transaction, home, one, change, by=by, at=at))
        catalogue = store.catalogue
        for one, change in zip(wanted, changes, strict=True):  # only now: some may name others that stand further down
            with _at(one):
                before = change.record if change.action == "unchanged" else None
                store.check_links(transaction, change.record, before, catalogue=catalogue)
        if plan_only:
            transaction.abandon()
    return tuple(changes)


def export(
    records: Iterable[ConnectionRecord],
    catalogue: Catalogue,
    open_access: frozenset[str],
    terms: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:
    """The document of connections, as plain values; `open_access` are the ids that all pipelines may use.

    `terms` has, by id, which untrusted runs a connection lets in and the date that was declared for it.

    Secrets that are stored in Sluice are left out: applied again, the document leaves them as they are.
    """
    return {
        "connections": [
            {**_exported(record, catalogue, record.id in open_access), **terms.get(record.id, {})} for record in records
        ]
    }


def _exported(record: ConnectionRecord, catalogue: Catalogue, all_pipelines: bool) -> dict[str, Any]:
    kind = catalogue.find(record.type)
    whole: dict[str, Any] = {
        "name": record.name,
        "type": record.type,
        "scheme": record.scheme,
        "description": record.description,
        "url": record.url if kind is None or kind.url.entered else "",
        "disabled": record.disabled,
        "allPipelines": all_pipelines,
        "values": _by_name(record.values()),
        "secrets": _by_name(record.references),
    }
    return {key: value for key, value in whole.items() if value}


def _by_name(values: Mapping[Key, str]) -> dict[str, str]:
    """Values by key alone; namesakes of parameters and data keep their place in front."""
    twins = Counter(key.casefold() for _, key in values)
    return {
        (key if twins[key.casefold()] == 1 or place == "parameters" else f"{place}.{key}"): value
        for (place, key), value in values.items()
    }


def _refuse_twins(wanted: Sequence[Wanted]) -> None:
    seen: dict[str, Wanted] = {}
    for one in wanted:
        first = seen.setdefault(name_key(one.draft.name), one)
        if first is not one:
            raise ConflictError(
                f"the service connection '{one.draft.name}' is described twice",
                where=one.where,
                why=f"first at {first.where}" if first.where else "",
            )


def _store_all(
    store: ConnectionStore,
    transaction: Transaction,
    home: projects.Project,
    wanted: Sequence[Wanted],
    *,
    by: str,
    at: float,
) -> list[Change]:
    """Create what is not there yet, many at a time, and update the rest."""
    taken = store.taken(transaction, home.id, [one.draft.name for one in wanted])
    creation = store.creation(transaction, home, taken, by=by, at=at)
    changes = []
    for one in wanted:
        with _at(one):
            if (record := _present(store, transaction, home, one.draft.name, taken)) is not None:
                changes.append(_update(store, transaction, home, one, record, by=by))
            else:
                outcome = creation.add(one.draft)
                changes.append(Change(outcome.record, "create", notes=outcome.warnings))
    creation.finish()
    return changes


def _present(
    store: ConnectionStore, transaction: Transaction, home: projects.Project, name: str, taken: set[str]
) -> ConnectionRecord | None:
    """The connection that a name or an id means, if it is there and the person sees it."""
    if name_key(name) not in taken and not is_guid(name):
        return None
    record = lookup.find(transaction, home.id, name)
    if record and store.guard.allows(transaction, Right.SEE, permissions.Resource(home.id, record.id)):
        return record
    return None


def _update(
    store: ConnectionStore,
    transaction: Transaction,
    home: projects.Project,
    one: Wanted,
    record: ConnectionRecord,
    *,
    by: str,
) -> Change:
    draft = one.draft
    if record.type.casefold() != draft.type.strip().casefold():
        raise ConflictError(
            f"the service connection '{record.name}' is of type '{record.type}', not '{draft.type}'",
            do="a connection keeps its type: delete it first, or choose another name",
        )
    update = Update(
        name=draft.name,
        description=one.description,
        scheme=draft.scheme or None,
        url=draft.url or None,
        disabled=one.disabled,
        values=draft.values,
        references=draft.references,
        untrusted=one.untrusted,
        expires=one.expires,
    )
    outcome = store.update_in(transaction, home.name, record.id, update, by=by, linked_later=True)
    if not outcome.changed:
        return Change(outcome.record, "unchanged")
    notes = list(outcome.warnings)
    if outcome.dropped:
        notes.append(f"the address changed: dropped {', '.join(outcome.dropped)}")
    if outcome.revoked:
        notes.append(f"the address changed: {len(outcome.revoked)} permits are revoked")
    return Change(outcome.record, "update", outcome.changed, tuple(notes))


def _grant(
    store: ConnectionStore,
    transaction: Transaction,
    home: projects.Project,
    one: Wanted,
    change: Change,
    *,
    by: str,
    at: float,
) -> Change:
    if one.all_pipelines is None:
        return change
    resource = permissions.Resource(home.id, change.record.id)
    decide = permissions.grant if one.all_pipelines else permissions.revoke
    if not decide(transaction, resource, permissions.ALL_PIPELINES, by=by, at=at):
        return change
    store.guard.require(transaction, Right.OPEN_ACCESS, resource, change.name)  # what changes nothing needs no right
    action = "update" if change.action == "unchanged" else change.action
    return replace(change, action=action, details=(*change.details, "allPipelines"))


@contextmanager
def _at(one: Wanted) -> Iterator[None]:
    try:
        yield
    except SluiceError as error:
        if one.where and not isinstance(error.where, Location):
            error.where = one.where
        raise
