"""Limits of permits; policies and expiry of connections, what is deleted for a while, and what a rotation replaced."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("permissions", sa.Column("limits", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "resource_policies",
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("untrusted", sa.Text(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.PrimaryKeyConstraint("resource_type", "resource_id", name=op.f("pk_resource_policies")),
    )
    op.create_table(
        "connection_expiries",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("field", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        _of_connection("connection_expiries"),
        sa.PrimaryKeyConstraint("connection_id", "field", name=op.f("pk_connection_expiries")),
    )
    op.create_table(
        "previous_secrets",
        sa.Column("connection_id", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("replaced_by", sa.Text(), nullable=False),
        sa.Column("replaced_at", sa.Float(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        *_sealed(),
        _of_connection("previous_secrets"),
        sa.PrimaryKeyConstraint("connection_id", name=op.f("pk_previous_secrets")),
    )
    _create_deleted_connections()


def _create_deleted_connections() -> None:
    op.create_table(
        "deleted_connections",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("name", "description", "type", "scheme", "url")),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("parameters", "data", "secret_names")),
        sa.Column("secret_references", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_by", sa.Text(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.Column("kept", sa.Text(), nullable=False),
        sa.Column("deleted_by", sa.Text(), nullable=False),
        sa.Column("deleted_at", sa.Float(), nullable=False),
        sa.Column("purge_at", sa.Float(), nullable=False),
        *_sealed(),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_deleted_connections_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deleted_connections")),
    )


def _sealed() -> tuple[sa.Column[str] | sa.Column[bytes], ...]:
    return (
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
    )


def _of_connection(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["connection_id"], ["connections.id"], name=op.f(f"fk_{table}_connection_id"), ondelete="CASCADE"
    )
