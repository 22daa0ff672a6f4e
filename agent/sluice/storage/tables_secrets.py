"""Tables of secrets that come from elsewhere: what was made for one use and has to be given back."""

from __future__ import annotations

from sqlalchemy import Column, Float, Index, Integer, Table, Text

from sluice.storage.metadata import id_column, metadata

# run_id 0 and a step_id of its own: a use outside of any run, such as a verification; job is the shown identifier
secret_leases = Table(
    "secret_leases",
    metadata,
    id_column(),
    Column("connection_id", Text, nullable=False),
    Column("connection", Text, nullable=False),
    Column("project_id", Integer, nullable=False),
    Column("run_id", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("job", Text, nullable=False),
    Column("step_id", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("lease", Text, nullable=False),
    Column("taken_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Index("ix_secret_leases_run_id", "run_id"),
)
