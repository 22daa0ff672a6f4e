"""Projects: made once, deleted when nothing is in them."""

from __future__ import annotations

import pytest

from sluice.errors import ConflictError, NotFoundError
from sluice.storage import projects
from sluice.storage.engine import Database
from sluice.storage.metadata import metadata


def test_whatever_belongs_to_a_project_keeps_it_from_being_deleted() -> None:
    of_projects = {
        table
        for table in metadata.tables.values()
        if any(key.column.table.name == "projects" for key in table.foreign_keys)
    }
    assert of_projects <= set(projects._CONTENT)


def test_a_project_is_made_once_and_goes(database: Database) -> None:
    with database.write() as transaction:
        made = projects.create(transaction, " Shop ", by="me", at=1)
        assert projects.find(transaction, "SHOP") == made
        with pytest.raises(ConflictError, match="the project 'shop' exists already"):
            projects.create(transaction, "shop", by="me", at=1)
        assert [one.name for one in projects.listed(transaction)] == ["default", "Shop"]
        projects.delete(transaction, made, by="me", at=1)
        with pytest.raises(NotFoundError, match="there is no project 'shop'"):
            projects.find(transaction, "shop")
        with pytest.raises(ConflictError, match="the only project"):
            projects.delete(transaction, projects.find(transaction, "default"), by="me", at=1)
