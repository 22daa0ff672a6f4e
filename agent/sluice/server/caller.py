"""Who makes a request, and what there is for that person: the stores and decisions, each within what the guard allows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from sluice.identity.actors import guard_for
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.connections.store import ConnectionStore
    from sluice.library.secure_files import SecureFileStore
    from sluice.library.store import VariableGroupStore
    from sluice.rights import Actor
    from sluice.runs.check_configuring import Configurations
    from sluice.runs.check_decisions import CheckDecisions
    from sluice.runs.decisions import Decisions
    from sluice.runs.orchestrator import Orchestrator
    from sluice.server.job_tokens import JobIdentity
    from sluice.server.state import ServerState
    from sluice.storage.engine import Database
    from sluice.storage.sessions import Session

How = Literal["token", "session", "job"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a request. `csrf` is what a change by a browser has to show, '' where nothing does it unasked."""

    state: ServerState
    actor: Actor
    how: How
    address: str = ""
    session: Session | None = None
    csrf: str = ""
    until: float = 0.0
    """Up to when answers may be given again without looking at the credentials (seconds since the epoch)."""
    job: JobIdentity | None = None
    """The job that speaks, where none of its people does."""

    @property
    def name(self) -> str:
        """The name that changes are recorded under."""
        return self.actor.name

    @property
    def guard(self) -> Guard:
        """What decides what the person may do."""
        return guard_for(self.actor)

    @property
    def database(self) -> Database:
        return self.state.database

    @property
    def connections(self) -> ConnectionStore:
        """The service connections that the person sees."""
        return self.state.store(self.guard)

    @property
    def groups(self) -> VariableGroupStore:
        """The variable groups that the person sees."""
        from sluice.library.store import VariableGroupStore

        return VariableGroupStore(self.database, self.state.sealer, guard=self.guard)

    @property
    def files(self) -> SecureFileStore:
        """The secure files that the person sees."""
        from sluice.library.secure_files import SecureFileStore

        return SecureFileStore(self.database, self.state.sealer, guard=self.guard)

    @property
    def orchestrator(self) -> Orchestrator:
        """Makes runs and advances them for the person."""
        return self.state.orchestrator(self.connections)

    @property
    def decisions(self) -> Decisions:
        """What the person decides about runs."""
        from sluice.runs.decisions import Decisions

        return Decisions(database=self.database, clock=self.state.clock, by=self.name, guard=self.guard)

    @property
    def check_decisions(self) -> CheckDecisions:
        """What the person decides about checks."""
        from sluice.runs.check_decisions import CheckDecisions

        return CheckDecisions(database=self.database, clock=self.state.clock, guard=self.guard)

    @property
    def configurations(self) -> Configurations:
        """The checks on resources, as the person changes them."""
        from sluice.runs.check_configuring import Configurations

        return Configurations(orchestrator=self.orchestrator, guard=self.guard)
