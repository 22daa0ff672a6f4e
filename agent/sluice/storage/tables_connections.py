"""What belongs to service connections beside their own table: policies, expiry, what is deleted, what was replaced."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Integer, LargeBinary, Table, Text

from sluice.storage.metadata import code_column, metadata

# which runs may use a resource whatever is permitted; sequence is the audit entry that set it
resource_policies = Table(
    "resource_policies",
    metadata,
    Column("resource_type", Text, primary_key=True),
    Column("resource_id", Text, primary_key=True),
    Column("untrusted", Text, nullable=False),
    Column("sequence", Integer, nullable=False),
    code_column(),
)

# when something of a connection expires: a field's certificate or token, or ('' as field) what a person declared
connection_expiries = Table(
    "connection_expiries",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True),
    Column("field", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("expires_at", Float, nullable=False),
)

# sealed for what it is now: put back by hand into the table of connections it does not open
deleted_connections = Table(
    "deleted_connections",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("secret_names", Text, nullable=False),
    Column("secret_references", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_by", Text, nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("kept", Text, nullable=False),
    Column("deleted_by", Text, nullable=False),
    Column("deleted_at", Float, nullable=False),
    Column("purge_at", Float, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# the secrets that a rotation replaced, for its undo; version is the connection's after the rotation
previous_secrets = Table(
    "previous_secrets",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("replaced_by", Text, nullable=False),
    Column("replaced_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)
