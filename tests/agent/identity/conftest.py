"""An installation with people in it, each with a guard and a store of connections of the own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sluice.authorization.roles import Level, Role
from sluice.connections.catalogue import Catalogue
from sluice.connections.connection import ConnectionRecord, Draft
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.keys import FileKeys
from sluice.connections.sealing import Sealer
from sluice.connections.store import ConnectionStore
from sluice.hooks.declaration import ConnectionType, Field, Scheme, Url
from sluice.identity import actors, assignments
from sluice.identity.administration import Administration
from sluice.identity.guard import RoleGuard
from sluice.secret import Secret
from sluice.storage import audit, people, projects
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.permissions import Resource

DEPOT = ConnectionType(
    "Depot",
    "Acme depot",
    url=Url(schemes=("https",)),
    schemes=(Scheme("Token", "Token", (Field("apitoken", "API token", secret=True, required=True),)),),
    data=(Field("Via", "Via", kind="connection", connection_type="Depot"),),
)
NOW = 1000.0


@dataclass(kw_only=True)
class Town:
    """People and what they do; '' is the local administrator."""

    database: Database
    home: Home
    users: dict[str, people.User] = field(default_factory=dict)

    def move_in(self, *names: str) -> None:
        for name in names:
            with self.database.write() as transaction:
                self.users[name] = Administration(UNRESTRICTED).create_user(transaction, name, at=NOW)

    def join(self, name: str, group: str, project: str = "default") -> None:
        with self.database.write() as transaction:
            home = projects.find(transaction, project)
            Administration(UNRESTRICTED).add_member(transaction, home, group, name, at=NOW)

    def guard(self, name: str = "", scopes: frozenset[str] | None = None) -> Guard:
        if not name:
            return UNRESTRICTED
        from dataclasses import replace

        with self.database.read() as transaction:
            return RoleGuard(replace(actors.of_user(transaction, self.users[name]), scopes=scopes))

    def store(self, name: str = "", scopes: frozenset[str] | None = None) -> ConnectionStore:
        sealer = Sealer(lambda: FileKeys(self.home.keys / "master.json"))
        return ConnectionStore(
            self.database,
            sealer,
            catalogue=lambda: Catalogue({"depot": DEPOT}),
            clock=lambda: NOW,
            sources={},
            guard=self.guard(name, scopes),
        )

    def make(self, name: str = "depot", by: str = "", project: str = "default", **values: str) -> ConnectionRecord:
        draft = Draft(
            name=name,
            type="depot",
            url="https://depot.example",
            values=values,
            secrets={"apitoken": Secret("token-0123456789")},
        )
        return self.store(by).create(project, draft, by=by or "root").record

    def project(self, name: str) -> None:
        with self.database.write() as transaction:
            projects.create(transaction, name, by="root", at=NOW)

    def place(self, record: ConnectionRecord, level: Level = Level.PROJECT) -> assignments.Place:
        return assignments.Place(Resource(record.project_id, record.id), level, record.name)

    def hub(self, kind: str = "endpoint", project_id: int = 1) -> assignments.Place:
        return assignments.Place(Resource(project_id, "", kind), Level.HUB)

    def give(self, name: str, role: Role, place: assignments.Place, by: str = "") -> None:
        with self.database.write() as transaction:
            user = self.users[name]
            subject = assignments.Subject(user.id, user.name)
            assignments.set_role(transaction, self.guard(by), place, subject, role, at=NOW)

    def take(self, name: str, place: assignments.Place, by: str = "") -> None:
        with self.database.write() as transaction:
            user = self.users[name]
            subject = assignments.Subject(user.id, user.name)
            assignments.remove_role(transaction, self.guard(by), place, subject, at=NOW)

    def logged(self) -> list[str]:
        with self.database.read() as transaction:
            return [audit.describe(link.entry) for link in audit.entries(transaction)]

    def attack(self, *statements: str) -> None:
        """Write to the database past Sluice."""
        connection = sqlite3.connect(self.home.database)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    home = Home(tmp_path / "home")
    database = Database.open(home)
    yield Town(database=database, home=home)
    database.close()
