"""Tokens of jobs (`System.AccessToken`): each speaks for one job of one run, and for nobody's rights beside that."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING

from sluice.rights import Actor
from sluice.secret import Secret
from sluice.storage import job_tokens, projects, runs
from sluice.storage.engine import Transaction
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.records import RecordRow
    from sluice.storage.runs import RunRow

_NAMESPACE = uuid.UUID("0d3f5f0c-8a54-4f0e-8a86-1c8d2f3b7e55")


@dataclass(frozen=True, slots=True, kw_only=True)
class JobIdentity:
    """The job that speaks, as it is now."""

    run: RunRow
    job: RecordRow


class ServerAccess:
    """See `sluice.runs.job_access.JobAccess`. `url` is where jobs of this machine reach the server."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self._url = url
        self._clock = clock

    @property
    def url(self) -> str:
        return self._url

    def issue(self, transaction: Transaction, run_id: int, job_id: str) -> Secret:
        return job_tokens.issue(transaction, run_id, job_id, at=self._clock())


def identify(transaction: Transaction, text: str) -> tuple[JobIdentity, Actor] | None:
    """Who speaks with a token of a job: the build service of its project, which has no rights of its own."""
    found = job_tokens.find(transaction, text)
    run = runs.get(transaction, found.run_id) if found else None
    if found is None or run is None or run.state == "completed" or not run.whole:
        return None
    project = projects.get(transaction, run.project_id)
    identity = str(uuid.uuid5(_NAMESPACE, project.guid))
    name = f"{project.name} Build Service"
    actor = Actor(id=identity, name=name, subjects=frozenset({identity}), scopes=frozenset())
    return JobIdentity(run=run, job=found.job), actor
