"""What is said of a connection beside its fields: which untrusted runs it lets in, and when it expires."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from sluice.connections import expiry
from sluice.connections.connection import ConnectionRecord, Draft, Key, Update
from sluice.secret import Secret
from sluice.storage import expiries, policies
from sluice.storage.engine import Transaction
from sluice.storage.expiries import DECLARED
from sluice.storage.permissions import Resource

UNTRUSTED = "allowUntrusted"
EXPIRES = "expires"


def changes(transaction: Transaction, record: ConnectionRecord, update: Update) -> tuple[str, ...]:
    """What of this an update changes, by name; raises `UsageError` for a date that is none."""
    names = []
    allowed = policies.untrusted(transaction, Resource(record.project_id, record.id))
    if update.untrusted is not None and update.untrusted != allowed:
        names.append(UNTRUSTED)
    if update.expires is not None and expiry.declared(update.expires) != _declared(transaction, record.id):
        names.append(EXPIRES)
    return tuple(names)


def put_new(
    transaction: Transaction, record: ConnectionRecord, draft: Draft, secrets: Mapping[Key, Secret], *, at: float
) -> None:
    """Store it for a connection that is new."""
    if draft.untrusted != policies.NONE:
        resource = Resource(record.project_id, record.id)
        policies.let_in(transaction, resource, record.name, draft.untrusted, by=record.created_by, at=at)
    said = expiry.declared(draft.expires)
    found = expiry.read_all({**record.values(), **secrets})
    if said or found:
        expiries.replace(transaction, record.id, (), (*found, *((said,) if said else ())))


def put(
    transaction: Transaction, after: ConnectionRecord, update: Update, entered: Mapping[Key, Secret], *, at: float
) -> None:
    """Store it for a connection as an update leaves it; `entered` are the secrets that the update gives."""
    if update.untrusted is not None:
        resource = Resource(after.project_id, after.id)
        policies.let_in(transaction, resource, after.name, update.untrusted, by=after.modified_by, at=at)
    said = _declared(transaction, after.id) if update.expires is None else expiry.declared(update.expires)
    kept = [key[1] for key in after.secrets if key not in entered]
    found = expiry.read_all({**after.values(), **entered})
    expiries.replace(transaction, after.id, kept, (*found, *((said,) if said else ())))


def exported(transaction: Transaction, record: ConnectionRecord) -> dict[str, str]:
    """What a document says of it; only what differs from the default."""
    found: dict[str, str] = {}
    allowed = policies.untrusted(transaction, Resource(record.project_id, record.id))
    if allowed != policies.NONE:
        found[UNTRUSTED] = allowed
    if (said := _declared(transaction, record.id)) is not None:
        found[EXPIRES] = datetime.fromtimestamp(said.at, UTC).strftime("%Y-%m-%d")
    return found


def _declared(transaction: Transaction, connection_id: str) -> expiries.Expiry | None:
    found = expiries.of(transaction, [connection_id]).get(connection_id, ())
    return next((one for one in found if one.field == DECLARED), None)
