"""Identity tokens for a job that asks for one by itself: a script or a task package, through the job's own token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.errors import NotPermittedError
from sluice.runs.identifiers import shown
from sluice.runs.jobs import access_of, locate
from sluice.runs.timeline import Timeline
from sluice.secret import Secret
from sluice.storage import usage

if TYPE_CHECKING:
    from sluice.runs.orchestrator import Orchestrator


def token_for_job(orchestrator: Orchestrator, run_id: int, job_id: str, connection_id: str) -> Secret:
    """A fresh identity token for a connection that a running step of the job has received.

    The caller has made sure that it is that job which asks. Raises `NotPermittedError` for a job that does not run, a
    connection that none of its running steps was given, and whatever a release of the connection is refused for now.
    """
    with orchestrator.database.read() as transaction:
        loaded = orchestrator.load(transaction, run_id)
        timeline = Timeline(loaded.situation.records, loaded.situation.steps)
        job = timeline.by_id(job_id)
        if job is None or job.type != "Job" or job.state != "inProgress":
            raise NotPermittedError("no identity token is issued for a job that does not run")
        position = locate(loaded, timeline, job)
        use = usage.in_use(
            transaction,
            connection_id.strip().lower(),
            project_id=loaded.run.project_id,
            run_id=run_id,
            job=shown(job.identifier),
            actor=loaded.run.requested_by,
        )
    if use is None:
        raise NotPermittedError(
            "no identity token is issued for this service connection",
            why="no running step of the job has received it",
            do="name it in an input of the step's task",
        )
    access = access_of(orchestrator, loaded, position)
    check = access.check_again(use, job_id)
    return orchestrator.store.federated_token(loaded.run.project_id, connection_id.strip().lower(), use, check=check)
