"""Runs that wait remember up to where everything that matters to them has been looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("runs", sa.Column("settled", sa.Integer(), nullable=True))
    op.add_column("runs", sa.Column("settled_until", sa.Float(), nullable=True))
