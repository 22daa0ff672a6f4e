"""Users, groups, roles and access tokens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "users",
        *_texts("id", "name", "name_key", "display_name"),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        *_vouched(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_users")),
        sa.UniqueConstraint("name_key", name=op.f("uq_users_name_key")),
    )
    op.create_table(
        "user_groups",
        *_texts("id"),
        sa.Column("project_id", sa.Integer(), nullable=False),
        *_texts("name", "name_key", "description", "members"),
        *_vouched(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_groups")),
        sa.UniqueConstraint("project_id", "name_key", name=op.f("uq_user_groups_project_id_name_key")),
    )
    op.create_table(
        "role_assignments",
        sa.Column("project_id", sa.Integer(), nullable=False),
        *_texts("resource_type", "resource_id", "assignments"),
        sa.Column("inherit", sa.Boolean(), nullable=False),
        *_witnessed(),
        sa.PrimaryKeyConstraint("project_id", "resource_type", "resource_id", name=op.f("pk_role_assignments")),
    )
    op.create_table(
        "access_tokens",
        *_texts("id", "user_id", "name", "prefix", "hash", "scopes"),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.Column("revoked_at", sa.Float(), nullable=True),
        sa.Column("used_at", sa.Float(), nullable=True),
        *_witnessed(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_tokens")),
        sa.UniqueConstraint("hash", name=op.f("uq_access_tokens_hash")),
    )
    op.create_index(op.f("ix_access_tokens_user_id"), "access_tokens", ["user_id"], unique=False)


def _texts(*names: str) -> tuple[sa.Column[str], ...]:
    return tuple(sa.Column(name, sa.Text(), nullable=False) for name in names)


def _vouched() -> tuple[sa.Column[str] | sa.Column[float] | sa.Column[int], ...]:
    return (
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        *_witnessed(),
    )


def _witnessed() -> tuple[sa.Column[int] | sa.Column[str], ...]:
    return (
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, server_default=sa.text("''")),
    )
