"""Schema migrations, run by Alembic in one transaction."""
