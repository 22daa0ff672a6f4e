"""How Alembic runs our migrations: on the connection it is given, inside that connection's transaction."""

from __future__ import annotations

from alembic import context

from sluice.storage.tables import projects

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=projects.metadata,
    render_as_batch=True,
)
context.run_migrations()
