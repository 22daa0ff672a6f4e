"""The tables of checks: what is configured on resources, and what became of it at the checkpoints of runs."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, ForeignKey, Index, Integer, LargeBinary, Table, Text

from sluice.storage.metadata import code_column, id_column, metadata

# timeout and retry_interval are minutes; sequence is the audit entry of the newest change
check_configurations = Table(
    "check_configurations",
    metadata,
    id_column(),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("settings", Text, nullable=False),
    Column("secret_names", Text, nullable=False),
    Column("timeout", Integer, nullable=False),
    Column("retry_interval", Integer, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_by", Text, nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("sequence", Integer, nullable=False),
    code_column(),
    Index(None, "project_id", "resource_type", "resource_id"),
    sqlite_autoincrement=True,
)

# the secret settings of a check, sealed for the configuration's version
check_secrets = Table(
    "check_secrets",
    metadata,
    Column("configuration_id", Integer, ForeignKey("check_configurations.id", ondelete="CASCADE"), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# one checkpoint's checks; content is JSON, job_id is '' for a stage's
check_suites = Table(
    "check_suites",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("stage", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("content", Text, nullable=False),
    code_column(),
    Index(None, "run_id", "stage", "attempt"),
    sqlite_autoincrement=True,
)

# finds suites by their checks: active ones wait for something, or hold a lock
check_runs = Table(
    "check_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("suite_id", Text, ForeignKey("check_suites.id", ondelete="CASCADE"), nullable=False),
    Column("run_id", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Index(None, "suite_id"),
    Index(None, "active", "kind"),
)
