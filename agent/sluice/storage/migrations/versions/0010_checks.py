"""Checks: what is configured on resources, and what became of it at the checkpoints of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _configurations()
    _suites()
    op.add_column(
        "authorization_requests", sa.Column("detail", sa.Text(), nullable=False, server_default=sa.text("''"))
    )


def _configurations() -> None:
    op.create_table(
        "check_configurations",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("project_id", sa.Integer(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("settings", sa.Text(), nullable=False),
        sa.Column("secret_names", sa.Text(), nullable=False),
        sa.Column("timeout", sa.Integer(), nullable=False),
        sa.Column("retry_interval", sa.Integer(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.Float(), nullable=False),
        sa.Column("modified_by", sa.Text(), nullable=False),
        sa.Column("modified_at", sa.Float(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.ForeignKeyConstraint(["project_id"], ["projects.id"], name=op.f("fk_check_configurations_project_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_configurations")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_check_configurations_project_id_resource_type_resource_id"),
        "check_configurations",
        ["project_id", "resource_type", "resource_id"],
        unique=False,
    )
    op.create_table(
        "check_secrets",
        sa.Column("configuration_id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("wrapped_key", sa.LargeBinary(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["configuration_id"],
            ["check_configurations.id"],
            name=op.f("fk_check_secrets_configuration_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("configuration_id", name=op.f("pk_check_secrets")),
    )


def _suites() -> None:
    op.create_table(
        "check_suites",
        sa.Column("number", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False, server_default=sa.text("''")),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name=op.f("fk_check_suites_run_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_check_suites")),
        sa.UniqueConstraint("id", name=op.f("uq_check_suites_id")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        op.f("ix_check_suites_run_id_stage_attempt"), "check_suites", ["run_id", "stage", "attempt"], unique=False
    )
    op.create_table(
        "check_runs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("suite_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("resource_type", sa.Text(), nullable=False),
        sa.Column("resource_id", sa.Text(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["suite_id"], ["check_suites.id"], name=op.f("fk_check_runs_suite_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_check_runs")),
    )
    op.create_index(op.f("ix_check_runs_suite_id"), "check_runs", ["suite_id"], unique=False)
    op.create_index(op.f("ix_check_runs_active_kind"), "check_runs", ["active", "kind"], unique=False)
