"""Tries a connection as it is entered, before it is stored: a new one, or a change of one.

A secret that is stored goes along only where the change leaves the far side where it was: what somebody entered just now
decides where it would be sent.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.connections import lookup
from sluice.connections.changes import fit_draft, merge
from sluice.connections.leases import end_of_use
from sluice.connections.records import new_record, updated_record
from sluice.connections.references import resolve
from sluice.connections.verification import TASK, ask, may_use, verifier_of
from sluice.errors import ConnectionInvalidError, VerificationError
from sluice.hooks.connection import Connection, Value
from sluice.rights import Right
from sluice.storage import projects, usage
from sluice.storage.permissions import Resource

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord, Draft, Key, Update
    from sluice.connections.store import ConnectionStore
    from sluice.hooks.declaration import Verify


def try_draft(
    store: ConnectionStore,
    project: str,
    draft: Draft,
    *,
    by: str,
    verifiers: Mapping[str, Verify] | None = None,
    clock: Callable[[], float] = time.time,
) -> str:
    """What the plugin says of a connection that is not stored; raises as `verification.verify` and `fit_draft` do.

    Takes the right to create connections in the project.
    """
    with store.database.read() as transaction:
        home = projects.find(transaction, project)
        store.guard.require(transaction, Right.CREATE, Resource(home.id, ""))
    fitted = fit_draft(store.catalogue.get(draft.type), draft, store.sources)
    named = replace(draft, name=draft.name or draft.type)  # what it will be called does not matter yet
    record = new_record(home.id, named, fitted, by=by, at=0.0)
    with _use(store, record, by, clock) as use:
        return _try(store, record, {}, fitted.entered.secrets, use, verifiers)


def try_update(
    store: ConnectionStore,
    record: ConnectionRecord,
    update: Update,
    *,
    by: str,
    verifiers: Mapping[str, Verify] | None = None,
    clock: Callable[[], float] = time.time,
) -> str:
    """What the plugin says of a connection as a change would leave it; raises as `verification.verify` and `merge` do.

    Takes the right to change it, and to use it where its stored secrets are tried too.
    """
    with store.database.read() as transaction:
        store.guard.require(transaction, Right.EDIT, Resource(record.project_id, record.id), record.name)
    merged = merge(store.catalogue.get(record.type), record, update, store.sources)
    after = updated_record(record, update, merged, by=by, at=0.0)
    entered = merged.fitted.entered
    same = {key for key, reference in entered.references.items() if record.references.get(key) == reference}
    stored = {} if merged.moved else dict.fromkeys((*(entered.kept - frozenset(entered.secrets)), *same))
    with _use(store, record, by, clock) as use:
        kept: dict[Key, Value] = {}
        if stored:
            opened = store.open(record.project_id, record.id, use, version=record.version, check=may_use(store))
            kept = {key: value for key in stored if (value := _value(opened, key)) is not None}
        return _try(store, after, kept, entered.secrets, use, verifiers)


def _try(
    store: ConnectionStore,
    record: ConnectionRecord,
    kept: Mapping[Key, Value],
    entered: Mapping[Key, Value],
    use: usage.Use,
    verifiers: Mapping[str, Verify] | None,
) -> str:
    check = verifier_of(record.type, record.name, verifiers)
    found: dict[Key, Value] = {**record.values(), **kept, **entered}
    for key, reference in record.references.items():
        if key not in found:
            found[key] = _resolved(store, reference)
    connection = Connection(
        id=record.id,
        name=record.name,
        type=record.type,
        url=record.url,
        scheme=record.scheme,
        parameters={key: value for (place, key), value in found.items() if place == "parameters"},
        data={key: value for (place, key), value in found.items() if place == "data"},
        linked=_linked(store, record, use),
    )
    return ask(check, connection)


def _resolved(store: ConnectionStore, reference: str) -> Value:
    try:
        return resolve(reference, store.sources)
    except ConnectionInvalidError as error:
        raise VerificationError(
            "it cannot be tried before it is stored", why=str(error), do="save it, then verify it"
        ) from error


def _linked(store: ConnectionStore, record: ConnectionRecord, use: usage.Use) -> dict[str, Connection]:
    """The connections that it goes through, opened for this try."""
    with store.database.read() as transaction:
        named = {
            key: lookup.get(transaction, record.project_id, name, store.guard)
            for key, name in lookup.links(record, store.catalogue).items()
            if not key.startswith(lookup.REFERENCE_LINK)
        }
    return {
        key: store.open(one.project_id, one.id, use, version=one.version, check=may_use(store))
        for key, one in named.items()
    }


@contextmanager
def _use(store: ConnectionStore, record: ConnectionRecord, by: str, clock: Callable[[], float]) -> Iterator[usage.Use]:
    """What is opened for this try is in the usage history like any other use, and given back at its end."""
    use = usage.Use(project_id=record.project_id, actor=by, task=TASK, step_id=str(uuid.uuid4()))
    result = "Failed"
    try:
        yield use
        result = "Succeeded"
    finally:
        with store.database.write() as transaction:
            usage.step_finished(transaction, use.run_id, use.step_id, result, at=clock())
        end_of_use(store.database, store.sources, use, clock=clock)


def _value(opened: Connection, key: Key) -> Value | None:
    place, name = key
    return (opened.parameters if place == "parameters" else opened.data).get(name)
