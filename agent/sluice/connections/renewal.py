"""Renews the secrets of a connection in two steps: what is new is tried first, then it replaces, and that can be undone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sluice.connections import expiry, lookup, vault
from sluice.connections.changes import merge
from sluice.connections.connection import ConnectionRecord, Key, Update
from sluice.connections.sealing import Identity, Sealed
from sluice.connections.verification import verify
from sluice.errors import ConflictError, NotFoundError, UsageError, VerificationError
from sluice.rights import Right
from sluice.secret import Secret
from sluice.storage import audit, permissions, previous, projects
from sluice.storage.previous import PREVIOUS_SECRETS, Previous

if TYPE_CHECKING:
    from sluice.connections.creation import Outcome
    from sluice.connections.store import ConnectionStore
    from sluice.hooks.declaration import Verify
    from sluice.storage.engine import Transaction

UNDO_DAYS = 7


def rotate(
    store: ConnectionStore,
    project: str,
    name: str,
    secrets: Mapping[str, Secret],
    *,
    by: str,
    clock: Callable[[], float],
    verifiers: Mapping[str, Verify] | None = None,
    tried: bool = True,
) -> tuple[Outcome, str]:
    """Replace secrets of a connection once they work; answers what has changed, and what the try told.

    A try that fails raises `VerificationError` and leaves the old secrets in place. Without `tried` nothing is tried.
    The old secrets are kept, sealed, for `undo`.
    """
    if not secrets:
        raise UsageError("there is no secret to rotate to", do="give it with --secret KEY=-")
    update = Update(secrets=secrets)
    record, entered = _entered(store, project, name, update)
    told = _try(store, record, entered, by=by, clock=clock, verifiers=verifiers) if tried else ""
    with store.database.write() as transaction:
        now = lookup.get(transaction, record.project_id, record.id)
        if now.version != record.version:
            raise ConflictError(f"the service connection '{record.name}' was changed meanwhile", do="rotate it again")
        old = vault.open_secrets(transaction, store.sealer, now)
        outcome = store.update_in(transaction, project, record.id, update, by=by)
        replaced = {key: old[key] for key in entered if key in old}
        if replaced and not outcome.revoked:
            _keep(transaction, store, outcome.record, replaced, by=by, at=clock())
    return outcome, told


def _try(
    store: ConnectionStore,
    record: ConnectionRecord,
    entered: Mapping[Key, Secret],
    *,
    by: str,
    clock: Callable[[], float],
    verifiers: Mapping[str, Verify] | None,
) -> str:
    try:
        return verify(store, record, by=by, verifiers=verifiers, clock=clock, instead=entered)
    except VerificationError as error:
        if not error.do:
            error.do = "nothing was replaced; --unverified does it without a try"
        raise


def undo(store: ConnectionStore, project: str, name: str, *, by: str, clock: Callable[[], float]) -> Outcome:
    """Put the secrets back that the last rotation replaced, for a week after it.

    Raises `NotFoundError` when nothing is kept, `ConflictError` when they were changed again since.
    """
    with store.database.write() as transaction:
        record = lookup.get(transaction, projects.find(transaction, project).id, name, store.guard)
        previous.remove_over(transaction, clock())
        found = previous.get(transaction, record.id)
        if found is None:
            raise NotFoundError(
                f"nothing is kept of '{record.name}' that a rotation replaced",
                do=f"a rotation can be undone for {UNDO_DAYS} days",
            )
        audit.check_head(transaction)
        identity = Identity(PREVIOUS_SECRETS, record.id, found.version)
        sealed = Sealed(found.key_id, found.wrapped_key, found.sealed)
        secrets = vault.secrets_of(store.sealer.open(identity, sealed))
        _refuse_changed(transaction, record, found, secrets)
        outcome = store.update_in(transaction, project, record.id, Update(secrets=_by_name(secrets)), by=by)
        previous.remove(transaction, record.id)
    return outcome


def _entered(
    store: ConnectionStore, project: str, name: str, update: Update
) -> tuple[ConnectionRecord, Mapping[Key, Secret]]:
    """The connection, and the new secrets where they belong; refused before anything is tried with them."""
    with store.database.read() as transaction:
        record = lookup.get(transaction, projects.find(transaction, project).id, name, store.guard)
        resource = permissions.Resource(record.project_id, record.id)
        store.guard.require(transaction, Right.EDIT, resource, record.name)
    merged = merge(store.catalogue.get(record.type), record, update, store.sources)
    return record, merged.fitted.entered.secrets


def _keep(
    transaction: Transaction,
    store: ConnectionStore,
    record: ConnectionRecord,
    replaced: Mapping[Key, Secret],
    *,
    by: str,
    at: float,
) -> None:
    identity = Identity(PREVIOUS_SECRETS, record.id, record.version)
    sealed = store.sealer.seal(identity, vault.secrets_text(replaced))
    one = Previous(
        connection_id=record.id,
        version=record.version,
        replaced_by=by,
        replaced_at=float(at),
        expires_at=at + UNDO_DAYS * expiry.DAY,
        key_id=sealed.key_id,
        wrapped_key=sealed.wrapped_key,
        sealed=sealed.sealed,
    )
    previous.put(transaction, one)


def _refuse_changed(
    transaction: Transaction, record: ConnectionRecord, found: Previous, secrets: Mapping[Key, Secret]
) -> None:
    names = {key for _, key in secrets}
    for details in audit.changes_since(transaction, record.id, found.version):
        if names & set(details.get("Changed", ())):
            raise ConflictError(
                f"the secrets of '{record.name}' were changed again since the rotation",
                do="enter them with 'sluice connection update'",
            )


def _by_name(secrets: Mapping[Key, Secret]) -> dict[str, Secret]:
    """Secrets as an update takes them; of namesakes the place stands in front."""
    twins = {key for _, key in secrets if sum(other == key for _, other in secrets) > 1}
    return {f"{place}.{key}" if key in twins and place == "data" else key: one for (place, key), one in secrets.items()}
