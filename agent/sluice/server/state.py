"""What a server opens once: the state folder, its database, its keys, what it remembers."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sluice.connections.federation import ISSUER_VARIABLE, configured_issuer
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.connections.store import ConnectionStore
from sluice.server.job_tokens import ServerAccess
from sluice.server.live import Live
from sluice.server.log_index import LogIndexes
from sluice.server.memory import Memory
from sluice.server.throttling import Rate, Throttle

if TYPE_CHECKING:
    from sluice.connections.sealing import Sealer
    from sluice.runs.installation import Installation
    from sluice.runs.orchestrator import Orchestrator
    from sluice.server.driving import Engine
    from sluice.server.settings import ServerSettings
    from sluice.storage.engine import Database
    from sluice.storage.home import Home

MAX_TRIES, TRIES_SECONDS = 30, 60.0
"""So many connections a person may have tried in so many seconds."""


class ServerState:
    """The parts that all requests share."""

    def __init__(
        self,
        *,
        home: Home,
        database: Database,
        sealer: Sealer,
        installation: Installation,
        settings: ServerSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.home = home
        self.database = database
        self.sealer = sealer
        self.installation = installation
        self.settings = settings
        self.clock = clock
        self.memory = Memory(database)
        self.throttle = Throttle(clock)
        self.tries = Rate(clock, MAX_TRIES, TRIES_SECONDS)
        self.logs = LogIndexes()
        self.live = Live(database, home, self.logs)
        self.engine: Engine | None = None
        """What carries runs out, where this process does."""

    @classmethod
    def open(cls, settings: ServerSettings, home: Home | None = None) -> ServerState:
        """Open the installation of this user, as its local administrator; raises `NotPermittedError` for another."""
        from sluice.identity import actors
        from sluice.runs.installation import Installation
        from sluice.storage.engine import Database
        from sluice.storage.home import Home

        found = home or Home.find()
        database = Database.open(found)
        try:
            actors.local(database)
            sealer = ConnectionStore.installed(database, UNRESTRICTED).sealer
            return cls(
                home=found, database=database, sealer=sealer, installation=Installation(found), settings=settings
            )
        except BaseException:
            database.close()
            raise

    def store(self, guard: Guard = UNRESTRICTED) -> ConnectionStore:
        """The service connections, as far as the guard lets somebody see and change them."""
        return ConnectionStore(self.database, self.sealer, clock=self.clock, guard=guard, issuer=self.issuer)

    def issuer(self) -> str:
        """The address that identity tokens name: as configured, else the public one; raises `UsageError` without TLS."""
        if self.settings.secure and not os.environ.get(ISSUER_VARIABLE, "").strip():
            return self.settings.public_url
        return configured_issuer()

    def orchestrator(self, store: ConnectionStore) -> Orchestrator:
        """Makes runs and advances them for whoever the store is for."""
        from sluice.runs.orchestrator import Orchestrator

        return Orchestrator(
            self.database,
            self.home,
            store,
            self.installation.tasks,
            clock=self.clock,
            wait_seconds=self.installation.wait_seconds,
            server=self.settings.collection_url,
            job_access=ServerAccess(self.settings.collection_url, self.clock),
        )

    def go_on(self, run_id: int) -> None:
        """Let a run go on that was made, or decided about, by this server."""
        if self.engine is not None:
            self.engine.take(run_id)

    def close(self) -> None:
        """Close everything; no request may be under way."""
        self.memory.close()
        self.database.close()
