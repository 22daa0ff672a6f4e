"""The tokens by which jobs speak to the server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "job_tokens",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_job_tokens_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job_tokens")),
    )
    op.create_index(op.f("ix_job_tokens_run_id"), "job_tokens", ["run_id"], unique=False)
