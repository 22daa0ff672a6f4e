"""What the server keeps of those who may speak to it: browser sessions, one-time links, jobs. Every row is vouched for."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, Table, Text

from sluice.storage.metadata import code_column, metadata

# id is the hash of what the browser holds; token_id is '' where the person came by a one-time link
sessions = Table(
    "sessions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("token_id", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    code_column(),
)

# id is the hash of what stands in the link; the row goes when the link is used
sign_in_links = Table(
    "sign_in_links",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    code_column(),
)

# what a job shows to the server: id is the token's hash; it is good as long as that job runs
job_tokens = Table(
    "job_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("run_id", Integer, ForeignKey("runs.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("job_id", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    code_column(),
)
