"""Settings of a pipeline: what is stored is sealed, and an edit of it shows."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from sluice.connections.sealing import Sealer
from sluice.errors import NotFoundError, SealError, UsageError
from sluice.library.settings import SettingsStore
from sluice.secret import Secret
from sluice.storage import audit, pipelines, projects
from sluice.storage.engine import Database
from sluice.storage.pipelines import Pipeline
from sluice.storage.tables import pipeline_settings

SECRET = Secret("opensesame-of-the-settings")


@pytest.fixture
def settings(database: Database, sealer: Sealer) -> SettingsStore:
    return SettingsStore(database, sealer, clock=lambda: 1000.0)


@pytest.fixture
def pipeline(database: Database) -> Pipeline:
    with database.write() as transaction:
        owner = projects.ensure(transaction, "default")
        return pipelines.ensure(transaction, owner, name="p", source="/p.yml", by="me", at=0.0)


def opened(settings: SettingsStore, pipeline: Pipeline) -> dict[str, Secret]:
    with settings.database.read() as transaction:
        return settings.open_in(transaction, pipeline.id, pipeline.name)


def test_names_ignore_case_and_keep_their_first_spelling(settings: SettingsStore, pipeline: Pipeline) -> None:
    settings.set(pipeline, {"Region": "north"}, {"Token": SECRET}, by="me")
    settings.set(pipeline, {"REGION": "south"}, {"token": Secret("another-one")}, by="me")
    found = settings.read(pipeline)
    assert (dict(found.variables), found.secrets, found.version) == ({"Region": "south"}, frozenset({"Token"}), 2)
    assert opened(settings, pipeline) == {"Token": Secret("another-one")}


def test_a_public_variable_can_become_secret_but_not_by_the_way_public(
    settings: SettingsStore, pipeline: Pipeline
) -> None:
    settings.set(pipeline, {"a": "open"}, {}, by="me")
    settings.set(pipeline, {}, {"a": SECRET}, by="me")
    assert settings.read(pipeline).variables == {}
    with pytest.raises(UsageError, match="is secret"):
        settings.set(pipeline, {"A": "open"}, {}, by="me")
    assert settings.unset(pipeline, ["A"], by="me") == ("a",)
    with pytest.raises(NotFoundError, match="has no variable 'a'"):
        settings.unset(pipeline, ["a"], by="me")


def test_what_is_stored_holds_no_secret(settings: SettingsStore, pipeline: Pipeline) -> None:
    settings.set(pipeline, {"a": "open"}, {"b": SECRET}, by="me")
    with settings.database.read() as transaction:
        row = transaction.row(select(pipeline_settings))
        entries = [link.entry.details for link in audit.entries(transaction)]
    assert SECRET.reveal() not in repr(row) + repr(entries)
    assert repr(settings.read(pipeline)).count("opensesame") == 0


@pytest.mark.parametrize("change", [{"variables": '{"a": "evil"}'}, {"version": 1}, {"secret_names": "[]"}])
def test_an_edit_by_hand_shows(settings: SettingsStore, pipeline: Pipeline, change: dict[str, object]) -> None:
    settings.set(pipeline, {"a": "open"}, {"b": SECRET}, by="me")
    settings.set(pipeline, {"a": "wide"}, {}, by="me")
    with settings.database.write() as transaction:
        transaction.execute(update(pipeline_settings).values(**change))
    with pytest.raises(SealError):
        opened(settings, pipeline)
