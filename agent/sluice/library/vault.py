"""The sealed side of variable groups: their secrets as one text, sealed for the group and its public side."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sluice.connections import vault
from sluice.connections.sealing import Identity, Sealer
from sluice.library.group import VariableGroup
from sluice.secret import Secret
from sluice.storage import audit
from sluice.storage import variable_groups as rows
from sluice.storage.engine import Transaction
from sluice.storage.seals import SealedRow

KIND = "variable group"
"""What the seal calls the records."""


def seal_secrets(
    sealer: Sealer, master: tuple[str, bytes], row: rows.PublicRow, secrets: Mapping[str, Secret]
) -> SealedRow:
    """Seal a group's secrets for its present version. One without secrets is sealed too: an edit shows."""
    identity = Identity(KIND, row.id, row.version, rows.public_text(row))
    text = json.dumps({name: secret.reveal() for name, secret in secrets.items()}).encode("ascii")
    return vault.seal_text(sealer, master, identity, text)


def open_secrets(transaction: Transaction, sealer: Sealer, group: VariableGroup) -> dict[str, Secret]:
    """A group's stored secrets; raises `SealError` when they or the group were changed outside of Sluice."""
    audit.check_head(transaction)
    row = rows.seal_of(transaction, group.id)
    text = vault.open_text(sealer, KIND, group.id, row, f"the variable group '{group.name}'")
    return {name: Secret(value) for name, value in json.loads(text).items()}
