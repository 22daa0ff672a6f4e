"""What vouches for permits, pipelines, runs and connections' places; of a request, which version it asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("permissions", "pipelines", "runs", "connection_projects"):
        op.add_column(table, sa.Column("code", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("permissions", sa.Column("sequence", sa.Integer(), nullable=False, server_default=sa.text("0")))
    op.add_column(
        "authorization_requests",
        sa.Column("resource_version", sa.Integer(), nullable=False, server_default=sa.text("0")),
    )
