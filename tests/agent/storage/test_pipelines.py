"""Pipelines and projects."""

from __future__ import annotations

import pytest

from sluice.errors import NotFoundError
from sluice.storage import pipelines, projects
from sluice.storage.engine import Database


def test_a_pipeline_is_the_file_that_it_is_read_from(database: Database) -> None:
    with database.write() as transaction:
        home = projects.find(transaction, "default")
        first = pipelines.ensure(transaction, home, name="ci", source="/a.yml", by="me", at=1.0)
        assert pipelines.ensure(transaction, home, name="other", source="/a.yml", by="me", at=2.0) == first
        assert pipelines.get(transaction, first.id) == first


def test_a_namesake_is_another_pipeline_with_a_number(database: Database) -> None:
    with database.write() as transaction:
        home = projects.find(transaction, "default")
        first = pipelines.ensure(transaction, home, name="ci", source="/a.yml", by="me", at=1.0)
        second = pipelines.ensure(transaction, home, name="CI", source="/b.yml", by="me", at=1.0)
        third = pipelines.ensure(transaction, home, name="ci", source="/c.yml", by="me", at=1.0)
    assert [first.name, second.name, third.name] == ["ci", "CI (2)", "ci (3)"]
    assert len({first.id, second.id, third.id}) == 3


@pytest.mark.parametrize("written", ["CI", " ci ", "1", "/a.yml"])
def test_a_person_may_name_it_by_name_number_or_file(database: Database, written: str) -> None:
    with database.write() as transaction:
        home = projects.find(transaction, "default")
        made = pipelines.ensure(transaction, home, name="ci", source="/a.yml", by="me", at=1.0)
        assert pipelines.find(transaction, home.id, written) == made


def test_an_unknown_pipeline_gets_the_nearest_name(database: Database) -> None:
    with database.write() as transaction:
        home = projects.find(transaction, "default")
        pipelines.ensure(transaction, home, name="release", source="/a.yml", by="me", at=1.0)
        with pytest.raises(NotFoundError, match="did you mean 'release'"):
            pipelines.find(transaction, home.id, "relase")
        with pytest.raises(NotFoundError, match="by the path of its file"):
            pipelines.find(transaction, home.id, "zzz")
        with pytest.raises(NotFoundError):
            pipelines.get(transaction, 99)


def test_pipelines_of_another_project_are_not_found(database: Database) -> None:
    with database.write() as transaction:
        home, other = projects.find(transaction, "default"), projects.ensure(transaction, "other")
        pipelines.ensure(transaction, other, name="ci", source="/a.yml", by="me", at=1.0)
        assert pipelines.by_source(transaction, home.id, "/a.yml") is None
        assert pipelines.listed(transaction, home.id) == ()


def test_projects_are_made_once_and_found_ignoring_case(database: Database) -> None:
    with database.write() as transaction:
        made = projects.ensure(transaction, "Shop")
        assert projects.ensure(transaction, "shop ") == made
        assert projects.find(transaction, "SHOP") == made
        assert projects.get(transaction, made.id) == made
        with pytest.raises(NotFoundError, match="known: default, Shop"):
            projects.find(transaction, "chop")
