"""What the tables of the schema have in common: the metadata that collects them, and columns of one kind."""

from __future__ import annotations

from sqlalchemy import Column, Integer, MetaData, Text, text

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    }
)


def id_column() -> Column[int]:
    """A number that the database gives."""
    return Column("id", Integer, primary_key=True, autoincrement=True)


def code_column() -> Column[str]:
    """What vouches for the row: an edit by hand shows (see `vouching`)."""
    return Column("code", Text, nullable=False, default="", server_default=text("''"))
