"""Gives back what the steps of a job have leased: when the job ends, and when a run starts after a process died."""

from __future__ import annotations

from sluice.connections.leases import end_left_over, end_of_job
from sluice.runs.identifiers import shown
from sluice.runs.lock import is_driven
from sluice.runs.orchestrator import Orchestrator
from sluice.storage import records
from sluice.storage.records import RecordRow
from sluice.storage.secret_leases import LeaseRow


def job_ended(orchestrator: Orchestrator, run_id: int, stage: str, job: RecordRow) -> None:
    """Give back what a job has leased, unless it only waits: to be called when its last step has ended."""
    with orchestrator.database.read() as transaction:
        record = records.get(transaction, run_id, job.id)
    if record is None or record.completed:
        store = orchestrator.store
        end_of_job(store.database, store.sources, run_id, stage, shown(job.identifier), clock=orchestrator.clock)


def run_started(orchestrator: Orchestrator, run_id: int) -> None:
    """Give back what is left over of jobs whose process died; by who drives a run, and has looked after its jobs."""

    def is_held(row: LeaseRow) -> bool:
        with orchestrator.database.read() as transaction:
            rows = records.of_run(transaction, row.run_id)
        job = next((one for one in rows if one.type == "Job" and shown(one.identifier) == row.job), None)
        if job is None or job.completed:
            return False
        goes_on = job.state != "inProgress"  # it waits, or will go on where it stopped
        return goes_on or (row.run_id != run_id and is_driven(orchestrator.home.root / "locks", row.run_id))

    store = orchestrator.store
    end_left_over(store.database, store.sources, is_held, clock=orchestrator.clock)
