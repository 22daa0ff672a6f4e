"""A store of its own for each test, with a made-up type beside the bundled ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import sluice_ssh
from sluice.connections.catalogue import Catalogue
from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.hooks.declaration import ConnectionType, Field, Scheme, Url
from sluice.storage import usage
from sluice.storage.engine import Database
from sluice.storage.home import Home

DEPOT = ConnectionType(
    "Depot",
    "Acme depot",
    url=Url(schemes=("https",)),
    schemes=(
        Scheme("Token", "Token", (Field("apitoken", "API token", secret=True, required=True),)),
        Scheme("Basic", "Basic", (Field("username", "User"), Field("password", "Password", secret=True))),
    ),
    data=(
        Field("Region", "Region", kind="choice", choices=("north", "south"), default="north"),
        Field("Certificate", "Certificate", secret=True, kind="multiline"),
        Field("Retries", "Retries", kind="number", validation="[0-9]", validation_message="is one digit"),
        Field("Strict", "Strict", kind="boolean"),
        Field("Proxy", "Proxy", address=True),
        Field("Via", "Via", kind="connection", connection_type="Depot"),
        Field("Serial", "Serial", generated=True),
    ),
)

CATALOGUE = Catalogue({"depot": DEPOT, "ssh": sluice_ssh.SSH})
USE = usage.Use(project_id=1, actor="me", pipeline_id=1, run_id=3, step_id="s", task="Depot@1")


@pytest.fixture
def depot() -> ConnectionType:
    return DEPOT


@pytest.fixture
def use() -> usage.Use:
    return USE


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    database = Database.open(home)
    yield database
    database.close()


@pytest.fixture
def make_store(home: Home) -> Callable[[Database], ConnectionStore]:
    def make(database: Database) -> ConnectionStore:
        sealer = Sealer(lambda: FileKeys(home.keys / "master.json"))
        return ConnectionStore(database, sealer, catalogue=lambda: CATALOGUE, clock=lambda: 1000.0, sources={})

    return make


@pytest.fixture
def store(database: Database, make_store: Callable[[Database], ConnectionStore]) -> ConnectionStore:
    return make_store(database)
