"""The sealed side of connections: their secrets as one text, sealed for the record they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sluice.connections.connection import ConnectionRecord, Key
from sluice.connections.sealing import Identity, Sealed, Sealer
from sluice.errors import SealError
from sluice.secret import Secret
from sluice.storage import connections as rows
from sluice.storage.engine import Transaction

KIND = "connection"
"""What the seal calls the records."""


def seal_secrets(
    sealer: Sealer, master: tuple[str, bytes], row: rows.PublicRow, secrets: Mapping[Key, Secret]
) -> rows.SealedRow:
    """Seal a connection's secrets for its present version. One without secrets is sealed too: an edit shows."""
    content: dict[str, dict[str, str]] = {}
    for (place, key), secret in secrets.items():
        content.setdefault(place, {})[key] = secret.reveal()
    public = rows.public_text(row)
    identity = Identity(KIND, row.id, row.version, public)
    sealed = sealer.seal_under(master, identity, json.dumps(content).encode("ascii"))
    return rows.SealedRow(
        key_id=sealed.key_id,
        wrapped_key=sealed.wrapped_key,
        sealed=sealed.sealed,
        version=row.version,
        public=public,
    )


def open_secrets(transaction: Transaction, sealer: Sealer, record: ConnectionRecord) -> dict[Key, Secret]:
    """A connection's stored secrets.

    Raises `SealError` when they were swapped, edited, or put back together with their record from an older state:
    the audit log knows the newest version.
    """
    row = rows.seal_of(transaction, record.id)
    if row is None:
        raise SealError(f"the secrets of the service connection '{record.name}' are missing")
    if row.recorded_version != row.version:
        raise SealError(
            f"the secrets of the service connection '{record.name}' cannot be opened",
            why=f"it is at version {row.version}, the audit log says {row.recorded_version or 'nothing of it'}",
            do="the record was changed outside of Sluice: see 'sluice audit verify'",
        )
    text = sealer.open(
        Identity(KIND, record.id, row.version, row.public), Sealed(row.key_id, row.wrapped_key, row.sealed)
    )
    content = json.loads(text)
    found: dict[Key, Secret] = {}
    for key, value in content.get("parameters", {}).items():
        found["parameters", key] = Secret(value)
    for key, value in content.get("data", {}).items():
        found["data", key] = Secret(value)
    return found
