"""Opens the repositories that a pipeline names, outside of its steps: for templates, and to fix commits.

The connection has to be permitted for the pipeline before it is used, as for a step; each use is audited and in the
usage history.
"""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.authorization import texts
from sluice.authorization.resources import Need, refuse
from sluice.authorization.trust import TRUSTED_RUN, RunOrigin
from sluice.connections import lookup
from sluice.connections.leases import end_of_use
from sluice.connections.preparation import prepare
from sluice.errors import CanceledError, NotPermittedError, PermissionPendingError, SluiceError
from sluice.hooks.repository import SourceRepository
from sluice.language.plan import Repository
from sluice.language.resources import repository_name
from sluice.runs.access import RefusedError, known_connection, known_repository
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.environment import base_environment
from sluice.runtime.git import Git
from sluice.runtime.remote import Remote, Rules, locate
from sluice.storage import actions, audit, permissions, projects, usage
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.store import ConnectionStore
    from sluice.storage.engine import Transaction

GIT_SECONDS = 300.0
"""How long a server may take to give out a repository's templates, or the commit of a ref."""

UNREGISTERED = -1
"""The id of a pipeline that has never been run: nothing is permitted for it alone."""


class RepositoryPendingError(PermissionPendingError):
    """Templates lie in a repository that nobody has permitted for the pipeline yet, or not its service connection.

    They are read before there is a run, so no run can wait for it: whoever asks for the run decides, or comes again.
    """

    reference = "repository-pending"

    def __init__(self, repository: Repository, resource: permissions.Resource, name: str, pipeline: str) -> None:
        self.resource = resource
        self.name = name
        self.label = texts.TYPE_LABELS[resource.type].lower()
        own = resource.type == permissions.REPOSITORY
        of = "" if own else f" of the repository '{repository.alias}'"
        super().__init__(
            texts.banner(1),
            where=repository.endpoint.where if repository.endpoint else repository.where,
            why=f"the {self.label} '{name}'{of}, from which templates are read before the run starts",
            do=f"sluice {'repository' if own else 'connection'} permit '{name}' --pipeline '{pipeline}'",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryOpener:
    """Opens repositories for one pipeline. `run_id` is 0 while there is no run."""

    store: ConnectionStore
    clock: Callable[[], float]
    project_id: int
    pipeline_id: int
    pipeline: str
    actor: str
    rules: Callable[[], Rules]
    run_id: int = 0
    origin: RunOrigin = TRUSTED_RUN

    @contextlib.contextmanager
    def opened(self, repository: Repository, *, purpose: str) -> Iterator[tuple[Remote, str]]:
        """The repository's address with its log-in, and the id of its connection ('' without one).

        Raises `RepositoryPendingError` when the connection is not permitted yet, and `RefusedError` when no Permit
        could give it to this run. Left: the use is over.
        """
        source = SourceRepository(type=repository.type, name=repository.name)
        if repository.endpoint is None:
            yield locate(self.rules(), source, None), ""
            return
        use = usage.Use(
            project_id=self.project_id,
            actor=self.actor,
            pipeline_id=max(self.pipeline_id, 0),
            run_id=self.run_id,
            step_id=str(uuid.uuid4()),
            step=f"repository {repository.alias}",
            task=purpose,
        )
        record, where = self._record(repository, repository.endpoint.value), repository.endpoint.where

        def check(transaction: Transaction, one: ConnectionRecord) -> None:
            known = known_connection(transaction, one, self.pipeline_id, self.origin.trust)
            need = Need(name=one.name, where=str(where))
            if refusal := refuse(need, known, (), self.origin):
                raise RefusedError(refusal, one, need.where)
            if not (known.permitted or known.within_limits(need, self.origin)):
                resource = permissions.Resource(one.project_id, one.id)
                raise RepositoryPendingError(repository, resource, one.name, self.pipeline)

        try:
            connection = self.store.open(self.project_id, record.id, use, version=record.version, check=check)
        except RefusedError as error:
            self._audit(error)
            raise
        result = "Failed"
        try:
            yield locate(self.rules(), source, prepare(connection)), record.id
            result = "Succeeded"
        finally:
            with self.store.database.write() as transaction:
                usage.step_finished(transaction, use.run_id, use.step_id, result, at=self.clock())
            end_of_use(self.store.database, self.store.sources, use, clock=self.clock)

    def require(self, repository: Repository) -> None:
        """Raise `RepositoryPendingError` when a repository of the project itself is not permitted yet."""
        name = repository_name(repository)
        with self.store.database.read() as transaction:
            home = projects.get(transaction, self.project_id)
            known = known_repository(transaction, home, name, self.pipeline_id)
        if not known.permitted:
            resource = permissions.Resource(self.project_id, known.id, known.kind)
            raise RepositoryPendingError(repository, resource, name, self.pipeline)

    def _audit(self, error: RefusedError) -> None:
        details = {
            "ResourceType": permissions.ENDPOINT,
            "ResourceName": error.connection.name,
            "RunId": self.run_id,
            "PipelineName": self.pipeline,
            "Reason": str(error.refusal.reason),
        }
        event = audit.Event(
            action=actions.ACCESS_REFUSED,
            actor=self.actor,
            at=self.clock(),
            project_id=self.project_id,
            resource_id=error.connection.id,
            details=details,
        )
        with self.store.database.write() as transaction:
            audit.append(transaction, event)

    def _record(self, repository: Repository, name: str) -> ConnectionRecord:
        with self.store.database.read() as transaction:
            record = lookup.find(transaction, self.project_id, name)
            near = "" if record else lookup.nearest_name(transaction, self.project_id, name)
        if record is None:
            raise NotPermittedError(
                f"A service connection with name {name} could not be found. The service connection does not exist, "
                "has been disabled or has not been authorized for use.",
                where=repository.endpoint.where if repository.endpoint else None,
                do=f"did you mean '{near}'?" if near else "see 'sluice connection list'",
            )
        return record


@contextlib.contextmanager
def git_for(remote: Remote, cwd: Path, environ: Mapping[str, str] | None = None) -> Iterator[Git]:
    """A git that speaks with a repository's server, for a limited time."""
    cancellation = Cancellation()
    environ = base_environment(os.environ if environ is None else environ)
    try:
        with cancellation.deadline(GIT_SECONDS):
            yield Git(environ=environ, cancellation=cancellation, cwd=cwd, remote=remote)
    except CanceledError:
        raise SluiceError(
            f"{remote.origin} did not answer in time", why=f"{GIT_SECONDS:.0f} seconds were given"
        ) from None
