"""The sealed side of connections: their secrets as one text, sealed for the record they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sluice.connections.connection import ConnectionRecord, Key
from sluice.connections.sealing import Identity, Sealed, Sealer
from sluice.errors import SealError
from sluice.secret import Secret
from sluice.storage import audit, renewed
from sluice.storage import connections as rows
from sluice.storage.engine import Transaction
from sluice.storage.seals import SealedRow, a_key_id

KIND = "connection"
"""What the seal calls the records."""


def check_key(transaction: Transaction, sealer: Sealer) -> None:
    """Make the master key when nothing is sealed yet; raises `SealError` where it went missing or cannot be used.

    A key that is made in place of a missing one would hide that it is missing.
    """
    ids = getattr(sealer.provider, "ids", None)
    if ids is not None and not ids() and (key_id := a_key_id(transaction, library=False)) is not None:
        sealer.provider.key(key_id)
    sealer.provider.current()


def master_key(transaction: Transaction, sealer: Sealer) -> tuple[str, bytes]:
    """The key to seal with. A key file that went missing is told here, before a new one takes its place."""
    check_key(transaction, sealer)
    if (key_id := a_key_id(transaction)) is not None:
        sealer.provider.key(key_id)
    return sealer.provider.current()


def seal_secrets(
    sealer: Sealer, master: tuple[str, bytes], row: rows.PublicRow, secrets: Mapping[Key, Secret]
) -> SealedRow:
    """Seal a connection's secrets for its present version. One without secrets is sealed too: an edit shows."""
    identity = Identity(KIND, row.id, row.version, rows.public_text(row))
    return seal_text(sealer, master, identity, secrets_text(secrets))


def secrets_text(secrets: Mapping[Key, Secret]) -> bytes:
    """A connection's secrets as one text, to be sealed."""
    content: dict[str, dict[str, str]] = {}
    for (place, key), secret in secrets.items():
        content.setdefault(place, {})[key] = secret.reveal()
    return json.dumps(content).encode("ascii")


def secrets_of(text: bytes) -> dict[Key, Secret]:
    """The secrets that `secrets_text` wrote."""
    content = json.loads(text)
    found: dict[Key, Secret] = {}
    for key, value in content.get("parameters", {}).items():
        found["parameters", key] = Secret(value)
    for key, value in content.get("data", {}).items():
        found["data", key] = Secret(value)
    return found


def open_secrets(transaction: Transaction, sealer: Sealer, record: ConnectionRecord) -> dict[Key, Secret]:
    """A connection's stored secrets, tokens as they were renewed last; raises `SealError` as `open_text` does."""
    audit.check_head(transaction)
    if not rows.in_place(transaction, record.id, record.project_id):
        raise SealError(
            f"the secrets of the service connection '{record.name}' cannot be opened",
            why="its name or its project was changed outside of Sluice",
            do="see 'sluice audit verify'",
        )
    row = rows.seal_of(transaction, record.id)
    stored = secrets_of(open_text(sealer, KIND, record.id, row, f"the service connection '{record.name}'"))
    newest = renewed.get(transaction, record.id, record.version)
    return stored if newest is None else {**stored, **open_renewed(sealer, newest)}


def open_renewed(sealer: Sealer, one: renewed.Renewed) -> dict[Key, Secret]:
    """The tokens that were renewed in a version of a connection."""
    identity = Identity(renewed.RENEWED_SECRETS, one.connection_id, one.version)
    return secrets_of(sealer.open(identity, Sealed(one.key_id, one.wrapped_key, one.sealed)))


def seal_text(sealer: Sealer, master: tuple[str, bytes], identity: Identity, text: bytes) -> SealedRow:
    """Seal a text for a record's present version."""
    sealed = sealer.seal_under(master, identity, text)
    return SealedRow(
        key_id=sealed.key_id,
        wrapped_key=sealed.wrapped_key,
        sealed=sealed.sealed,
        version=identity.version,
        public=identity.public,
    )


def open_text(sealer: Sealer, kind: str, record_id: str, row: SealedRow | None, what: str) -> bytes:
    """The sealed text of a record; `what` names it in errors.

    Raises `SealError` when it was swapped, edited, or put back together with its record from an older state: the audit
    log knows the newest version.
    """
    if row is None:
        raise SealError(f"the secrets of {what} are missing")
    if row.recorded_version != row.version:
        raise SealError(
            f"the secrets of {what} cannot be opened",
            why=f"it is at version {row.version}, the audit log says {row.recorded_version or 'nothing of it'}",
            do="the record was changed outside of Sluice: see 'sluice audit verify'",
        )
    identity = Identity(kind, record_id, row.version, row.public)
    return sealer.open(identity, Sealed(row.key_id, row.wrapped_key, row.sealed))
