"""Agent pools of projects."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "pools",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_key", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_pools_project_id")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_pools")),
        sa.UniqueConstraint("id", name=op.f("uq_pools_id")),
        sa.UniqueConstraint("project_id", "name_key", name=op.f("uq_pools_project_id_name_key")),
        sqlite_autoincrement=True,
    )
