"""Tables of what jobs leave behind: artifacts, caches, attachments, tags, details of steps, results of tests.

Contents are blobs (see `blobs`); `manifest` is the digest of the one that lists a thing's files. `*_id` of records are
those of the timeline, sizes bytes.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, ForeignKey, Index, Integer, Table, Text, UniqueConstraint

from sluice.storage.metadata import id_column, metadata


def _run_column(*, primary_key: bool = False) -> Column[int]:
    return Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, primary_key=primary_key)


# step is the path Stage.Job.Step of who published it, the same for each attempt
artifacts = Table(
    "artifacts",
    metadata,
    id_column(),
    _run_column(),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("location", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("files", Integer, nullable=False),
    Column("properties", Text, nullable=False),
    Column("record_id", Text, nullable=False),
    Column("step", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("run_id", "name_key"),
    sqlite_autoincrement=True,
)

# scope is a branch; key is the resolved key, its segments separated by line feeds and ended by one
caches = Table(
    "caches",
    metadata,
    id_column(),
    Column("pipeline_id", Integer, ForeignKey("pipelines.id"), nullable=False),
    Column("scope", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("run_id", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("used_at", Float, nullable=False),
    UniqueConstraint("pipeline_id", "scope", "key"),
    sqlite_autoincrement=True,
)

attachments = Table(
    "attachments",
    metadata,
    id_column(),
    _run_column(),
    Column("record_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("manifest", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("created_at", Float, nullable=False),
    UniqueConstraint("run_id", "record_id", "type", "name"),
    sqlite_autoincrement=True,
)

run_tags = Table(
    "run_tags",
    metadata,
    _run_column(primary_key=True),
    Column("tag_key", Text, primary_key=True),
    Column("tag", Text, nullable=False),
    Index(None, "tag_key", "run_id"),
)

# nested timeline records (task.logdetail); parent_id is another one's id or '' for the step itself
record_details = Table(
    "record_details",
    metadata,
    _run_column(primary_key=True),
    Column("record_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("parent_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("order", Integer, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text, nullable=False),
    Column("percent", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("operation", Text, nullable=False),
)

# failures is a JSON list of the first tests that failed
test_runs = Table(
    "test_runs",
    metadata,
    id_column(),
    _run_column(),
    Column("record_id", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("runner", Text, nullable=False),
    Column("total", Integer, nullable=False),
    Column("passed", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    Column("skipped", Integer, nullable=False),
    Column("seconds", Float, nullable=False),
    Column("platform", Text, nullable=False),
    Column("configuration", Text, nullable=False),
    Column("failures", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Index(None, "run_id"),
    sqlite_autoincrement=True,
)
