"""Tables of tokens that are renewed: the newest ones, sealed, and whose turn it is to ask for others."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, LargeBinary, Table, Text

from sluice.storage.metadata import metadata

# what stands in place of the secrets of these names in that version of the connection; expires_at is 0 for unknown
renewed_secrets = Table(
    "renewed_secrets",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("renewed_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# who asks for new tokens now, and until when nobody else does: a refresh token may be good for one use only
renewal_turns = Table(
    "renewal_turns",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True),
    Column("holder", Text, nullable=False),
    Column("until", Float, nullable=False),
)
