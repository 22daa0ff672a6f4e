"""A store of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.library.store import VariableGroupStore
from sluice.storage import usage
from sluice.storage.engine import Database
from sluice.storage.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


@pytest.fixture
def database(home: Home) -> Iterator[Database]:
    database = Database.open(home)
    yield database
    database.close()


@pytest.fixture
def sealer(home: Home) -> Sealer:
    return Sealer(lambda: FileKeys(home.keys / "master.json"))


@pytest.fixture
def store(database: Database, sealer: Sealer) -> VariableGroupStore:
    return VariableGroupStore(database, sealer, clock=lambda: 1000.0, sources={})


@pytest.fixture
def use() -> usage.Use:
    return usage.Use(project_id=1, actor="me", pipeline_id=1, run_id=3, stage="S", job="J", step_id="job")
