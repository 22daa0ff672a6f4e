"""People: users, groups and their members, roles, access tokens. Every row is vouched for; see `witnesses`."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Float, Integer, Table, Text, UniqueConstraint

from sluice.storage.metadata import code_column, metadata

# the local administrator is no row: whoever owns the state folder is it. sequence is the newest audit entry about the row
users = Table(
    "users",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False, unique=True),
    Column("display_name", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("sequence", Integer, nullable=False),
    code_column(),
)

# project_id is 0 for groups of the organization; a group that every project has is no row before it has members.
# members are a JSON list of ids of users
user_groups = Table(
    "user_groups",
    metadata,
    Column("id", Text, primary_key=True),
    Column("project_id", Integer, nullable=False),
    Column("name", Text, nullable=False),
    Column("name_key", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("members", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("sequence", Integer, nullable=False),
    code_column(),
    UniqueConstraint("project_id", "name_key"),
)

# one row for each place that roles are given at, once they differ from what holds by definition: resource_id is '' for
# the project's hub, project_id 0 for the organization level. assignments is a JSON object of roles by subject
role_assignments = Table(
    "role_assignments",
    metadata,
    Column("project_id", Integer, primary_key=True),
    Column("resource_type", Text, primary_key=True),
    Column("resource_id", Text, primary_key=True),
    Column("assignments", Text, nullable=False),
    Column("inherit", Boolean, nullable=False),
    Column("sequence", Integer, nullable=False),
    code_column(),
)

# of a token only its hash is kept, and its beginning, by which a person knows it again
access_tokens = Table(
    "access_tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("user_id", Text, nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("prefix", Text, nullable=False),
    Column("hash", Text, nullable=False, unique=True),
    Column("scopes", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("revoked_at", Float),
    Column("used_at", Float),
    Column("sequence", Integer, nullable=False),
    code_column(),
)
