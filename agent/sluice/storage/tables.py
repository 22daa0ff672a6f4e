"""The schema, as SQLAlchemy Core tables: what the newest migration makes (a test compares them).

Times are UTC seconds since the epoch, ids of connections and timeline records lower-case GUIDs, `*_key` columns the
normalised (NFC, casefolded) form of a name, JSON columns texts. Tables of an area of their own have a module beside
this one, `tables_<area>`, which is imported here, so that `metadata` knows every table.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from sluice.storage import (  # imported so that metadata knows their tables
    tables_artifacts,  # noqa: F401
    tables_checks,  # noqa: F401
    tables_connections,  # noqa: F401
    tables_federation,  # noqa: F401
    tables_people,  # noqa: F401
    tables_pools,  # noqa: F401
    tables_renewals,  # noqa: F401
    tables_secrets,  # noqa: F401
    tables_secure_files,  # noqa: F401
    tables_server,  # noqa: F401
)
from sluice.storage.metadata import code_column, id_column, metadata

projects = Table(
    "projects",
    metadata,
    id_column(),
    Column("guid", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),
    sqlite_autoincrement=True,
)

connections = Table(
    "connections",
    metadata,
    Column("id", Text, primary_key=True),
    Column("type", Text, nullable=False),
    Column("scheme", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("disabled", Boolean, nullable=False, default=False),
    Column("version", Integer, nullable=False),
    Column("parameters", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("secret_names", Text, nullable=False),
    Column("secret_references", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_by", Text, nullable=False),
    Column("modified_at", Float, nullable=False),
)

connection_projects = Table(
    "connection_projects",
    metadata,
    Column("connection_id", Text, ForeignKey("connections.id", ondelete="CASCADE"), primary_key=True),
    Column("project_id", Integer, ForeignKey("projects.id"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("description", Text, nullable=False),
    code_column(),
    UniqueConstraint("project_id", "name_key"),
)

# id is what permits and the audit log name it by, number its id in the REST interface
variable_groups = Table(
    "variable_groups",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("variables", Text, nullable=False),
    Column("secret_names", Text, nullable=False),
    Column("secret_references", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("modified_by", Text, nullable=False),
    Column("modified_at", Float, nullable=False),
    UniqueConstraint("project_id", "name_key"),
    sqlite_autoincrement=True,
)

# id is what permits and the audit log name it by, number its id in the REST interface and for jobs
environments = Table(
    "environments",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("id", Text, nullable=False, unique=True),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("project_id", "name_key"),
    sqlite_autoincrement=True,
)

environment_resources = Table(
    "environment_resources",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=True),
    Column("environment_id", Text, ForeignKey("environments.id", ondelete="CASCADE"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("tags", Text, nullable=False),
    UniqueConstraint("environment_id", "name_key"),
    sqlite_autoincrement=True,
)

# one row for each attempt of a deployment job; record_id is its timeline record's
deployments = Table(
    "deployments",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("environment_id", Text, ForeignKey("environments.id", ondelete="CASCADE"), nullable=False),
    Column("resource", Text, nullable=False),
    Column("stage", Text, nullable=False),
    Column("job", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("result", Text, nullable=False),
    Index(None, "environment_id", "started_at"),
)

pipelines = Table(
    "pipelines",
    metadata,
    id_column(),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    code_column(),
    UniqueConstraint("project_id", "name_key"),
    UniqueConstraint("project_id", "source"),
    sqlite_autoincrement=True,
)

# variables of a pipeline that stay; id is what the audit log names them by
pipeline_settings = Table(
    "pipeline_settings",
    metadata,
    Column("id", Text, primary_key=True),
    Column("pipeline_id", Integer, ForeignKey("pipelines.id"), nullable=False, unique=True),
    Column("version", Integer, nullable=False),
    Column("variables", Text, nullable=False),
    Column("secret_names", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# pipeline_id 0 stands for all pipelines of the project (open access); sequence is the audit entry of the grant,
# limits ('' for none) what of the pipeline may use it (see `authorization.limits`)
permissions = Table(
    "permissions",
    metadata,
    Column("project_id", Integer, ForeignKey("projects.id"), primary_key=True),
    Column("resource_type", Text, primary_key=True),
    Column("resource_id", Text, primary_key=True),
    Column("pipeline_id", Integer, primary_key=True),
    Column("authorized_by", Text, nullable=False),
    Column("authorized_at", Float, nullable=False),
    code_column(),
    Column("sequence", Integer, nullable=False, default=0, server_default=text("0")),
    Column("limits", Text, nullable=False, default="", server_default=text("''")),
)

runs = Table(
    "runs",
    metadata,
    id_column(),
    Column("project_id", Integer, ForeignKey("projects.id"), nullable=False),
    Column("pipeline_id", Integer, ForeignKey("pipelines.id"), nullable=False),
    Column("name", Text, nullable=False),
    Column("plan", Text, nullable=False),
    Column("options", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("cancel_requested_by", Text, nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    code_column(),
    # see `settled`: the newest entry of the audit log when it was found to merely wait, and until when that holds
    Column("settled", Integer),
    Column("settled_until", Float),
    Index(None, "pipeline_id", "id"),
    Index(None, "state", "id"),
    sqlite_autoincrement=True,
)

# the timeline: stages, checkpoints, phases, jobs and steps (Task) of a run, every attempt
records = Table(
    "records",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("id", Text, primary_key=True),
    Column("parent_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("identifier", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("ref_name", Text, nullable=False),
    Column("order", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("superseded", Boolean, nullable=False, default=False),
    Column("state", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("worker", Text, nullable=False),
    Column("started_at", Float),
    Column("finished_at", Float),
    Column("percent", Integer, nullable=False, default=0),
    Column("operation", Text, nullable=False, default=""),
    Column("error_count", Integer, nullable=False, default=0),
    Column("warning_count", Integer, nullable=False, default=0),
    Column("issues", Text, nullable=False, default="[]"),
    Column("outputs", Text, nullable=False, default="{}"),
    Column("details", Text, nullable=False, default="{}"),
)

# sealed: a job's progress after so many steps (step >= 0), and its secret outputs (step -1)
job_progress = Table(
    "job_progress",
    metadata,
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), primary_key=True),
    Column("job_id", Text, primary_key=True),
    Column("step", Integer, primary_key=True, autoincrement=False),
    Column("key_id", Text, nullable=False),
    Column("wrapped_key", LargeBinary, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
)

# what a run waits for; job_id and step_id are '' for a stage's checkpoint
authorization_requests = Table(
    "authorization_requests",
    metadata,
    id_column(),
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False),
    Column("project_id", Integer, nullable=False),
    Column("pipeline_id", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("stage_attempt", Integer, nullable=False),
    Column("job_id", Text, nullable=False),
    Column("step_id", Text, nullable=False),
    Column("resource_type", Text, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("resource_name", Text, nullable=False),
    Column("where", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", Float),
    Column("resource_version", Integer, nullable=False, default=0, server_default=text("0")),
    Column("detail", Text, nullable=False, default="", server_default=text("''")),
    Index(None, "run_id", "state"),
    Index(None, "pipeline_id", "resource_type", "resource_id", "state"),
    sqlite_autoincrement=True,
)

# connection_id is the id of whatever was opened: a connection, or a variable group (then step_id is the job's)
usage_history = Table(
    "usage_history",
    metadata,
    id_column(),
    Column("connection_id", Text, nullable=False),
    Column("project_id", Integer, nullable=False),
    Column("pipeline_id", Integer, nullable=False),
    Column("run_id", Integer, nullable=False),
    Column("stage", Text, nullable=False),
    Column("job", Text, nullable=False),
    Column("step_id", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("finished_at", Float),
    Column("result", Text, nullable=False),
    Index(None, "connection_id", "id"),
    Index(None, "run_id", "step_id"),
    sqlite_autoincrement=True,
)

# append-only; each row's hash covers the row and the hash before it. resource_id is the connection or variable group
# concerned ('' for none), resource_version its version then (0 for none): the newest one tells whether a row was put back by hand
audit = Table(
    "audit",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("category", Text, nullable=False),
    Column("project_id", Integer, nullable=False),
    Column("resource_id", Text, nullable=False),
    Column("resource_version", Integer, nullable=False),
    Column("details", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index(None, "resource_id", "resource_version"),
)

# counter(prefix, seed) and the Rev of run names, by pipeline
counters = Table(
    "counters",
    metadata,
    Column("pipeline_id", Integer, ForeignKey("pipelines.id"), primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("prefix", Text, primary_key=True),
    Column("value", Integer, nullable=False),
)
