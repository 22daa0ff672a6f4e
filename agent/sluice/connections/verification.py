"""Tries a connection against its far side, the way its type's plugin knows."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.connections.connection import ConnectionRecord, Key
from sluice.connections.leases import end_of_use
from sluice.connections.store import ConnectionStore
from sluice.errors import SluiceError, TrustNeededError, VerificationError
from sluice.rights import Right
from sluice.secret import Secret
from sluice.storage import usage
from sluice.storage.permissions import Resource
from sluice.storage.refusals import RefusedError

if TYPE_CHECKING:
    from sluice.hooks.connection import Connection
    from sluice.hooks.declaration import Verify
    from sluice.storage.engine import Transaction

TASK = "verify"
"""What the usage history shows as the task of a verification."""


def verify(
    store: ConnectionStore,
    record: ConnectionRecord,
    *,
    by: str,
    verifiers: Mapping[str, Verify] | None = None,
    clock: Callable[[], float] = time.time,
    instead: Mapping[Key, Secret] | None = None,
) -> str:
    """Open the connection for this one try, and answer what the plugin says of it.

    `instead` are secrets that are tried in place of the stored ones, before they are stored.

    Raises `VerificationError` when it does not work (or the type cannot be tried), and `TrustNeededError` when a
    person has to vouch for the far side first; `NotPermittedError` for a person that may not use it, or one that it
    goes through. The try is in the usage history like any other use.
    """
    check = verifier_of(record.type, record.name, verifiers)
    use = usage.Use(project_id=record.project_id, actor=by, task=TASK, step_id=str(uuid.uuid4()))
    result = "Failed"
    try:
        opened = store.open(record.project_id, record.id, use, version=record.version, check=may_use(store))
        text = ask(check, _with(opened, instead or {}))
        result = "Succeeded"
    except (VerificationError, TrustNeededError, RefusedError):
        raise
    except SluiceError as error:
        raise VerificationError(f"the service connection '{record.name}' does not work", why=str(error)) from error
    finally:
        with store.database.write() as transaction:
            usage.step_finished(transaction, use.run_id, use.step_id, result, at=clock())
        end_of_use(store.database, store.sources, use, clock=clock)
    return text


def verifier_of(type_name: str, name: str, verifiers: Mapping[str, Verify] | None = None) -> Verify:
    """What tries connections of a type; raises `VerificationError` where nothing does."""
    if verifiers is None:
        from sluice.hooks.manager import installed

        verifiers = installed().verifiers
    check = verifiers.get(type_name.casefold()) or _contributed(type_name)
    if check is None:
        raise VerificationError(
            f"the service connection '{name}' cannot be verified", why=f"the type '{type_name}' has no verification"
        )
    return check


def ask(check: Verify, connection: Connection) -> str:
    """What a try says; whatever goes wrong in it is a `VerificationError`, or a `TrustNeededError`."""
    try:
        return check(connection)
    except (VerificationError, TrustNeededError, RefusedError):
        raise
    except SluiceError as error:
        raise VerificationError(f"the service connection '{connection.name}' does not work", why=str(error)) from error


def may_use(store: ConnectionStore) -> Callable[[Transaction, ConnectionRecord], None]:
    """Whether the person may use a connection that is opened for a try."""

    def check(transaction: Transaction, record: ConnectionRecord) -> None:
        store.guard.require(transaction, Right.USE, Resource(record.project_id, record.id), record.name)

    return check


def _with(connection: Connection, secrets: Mapping[Key, Secret]) -> Connection:
    parameters = {**connection.parameters, **{key: one for (place, key), one in secrets.items() if place != "data"}}
    data = {**connection.data, **{key: one for (place, key), one in secrets.items() if place == "data"}}
    return replace(connection, parameters=parameters, data=data)


def _contributed(type_name: str) -> Verify | None:
    """The try that an installed extension describes for its type."""
    from sluice.connections.contributed import installed_types

    found = installed_types().get(type_name.casefold())
    if found is None or found.test is None:
        return None
    source = found.test

    def check(connection: Connection) -> str:
        from sluice.connections.probing import try_connection

        return try_connection(connection, source)

    return check
