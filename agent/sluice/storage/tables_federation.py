"""The table of the keys that identity tokens are signed with."""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, LargeBinary, Table, Text

from sluice.storage.metadata import metadata

# sealed is the private key; it signs from active_from on, and is published before that and for a while afterwards
signing_keys = Table(
    "signing_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("active_from", Float, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
