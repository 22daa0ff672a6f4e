"""A run whose process died: what of it is lost, and how it goes on.

A job between two steps goes on with the next one. A job whose step was running is reported as lost and not repeated,
unless the step says `retryCountOnTaskFailure`: nobody knows how far it came.
"""

from __future__ import annotations

from sluice.language.plan import Step
from sluice.runs.executions import step_name
from sluice.runs.jobs import locate, newest_progress, place_of
from sluice.runs.orchestrator import Loaded, Orchestrator
from sluice.runs.timeline import Timeline
from sluice.runtime.handlers import server_tasks
from sluice.runtime.orphans import kill_orphans, lookup_id
from sluice.runtime.request import JobRequest, Result
from sluice.storage import records, usage
from sluice.storage.engine import Transaction
from sluice.storage.records import RecordRow

LOST = "The process that ran this job ended before the job did."


def recover(orchestrator: Orchestrator, run_id: int) -> list[RecordRow]:
    """Take in that nobody runs the jobs that are stored as running; answers those that are lost.

    To be called by the process that holds the run's lock.
    """
    with orchestrator.database.read() as transaction:
        loaded = orchestrator.load(transaction, run_id)
    if not (left := _left(Timeline(loaded.situation.records))):
        return []
    for job in left:
        _end_processes(orchestrator, loaded, job)
    with orchestrator.database.write() as transaction:
        loaded = orchestrator.load(transaction, run_id)
        timeline = Timeline(loaded.situation.records)
        lost = [job for job in _left(timeline) if not _goes_on(orchestrator, transaction, loaded, timeline, job)]
        told = [_lose(orchestrator, transaction, run_id, timeline, job) for job in lost]
        records.save(transaction, run_id, timeline.changed())
    return told


def _left(timeline: Timeline) -> list[RecordRow]:
    return [record for record in timeline if record.type == "Job" and record.state == "inProgress"]


def _end_processes(orchestrator: Orchestrator, loaded: Loaded, job: RecordRow) -> None:
    """End what the job's last process left running."""
    place = place_of(orchestrator, loaded, job)
    request = JobRequest(
        run_id=loaded.run.id,
        id=job.id,
        identifier=job.identifier,
        display_name=job.name,
        work=place.work,
        workspace=place.workspace,
        attempt=job.attempt,
    )
    kill_orphans(lookup_id(request))


def _goes_on(
    orchestrator: Orchestrator, transaction: Transaction, loaded: Loaded, timeline: Timeline, job: RecordRow
) -> bool:
    """Whether the job can go on; then it is ready again."""
    position = locate(loaded, timeline, job)
    # a step that only waits has done nothing that a second time could do again
    retries = {step.name: step.retry_count or _only_waits(step) for step in position.plan_steps}
    interrupted = [step for step in position.steps if step.state == "inProgress"]
    if any(not retries.get(step_name(step.ref_name), 0) for step in interrupted):
        return False
    progress = newest_progress(orchestrator, transaction, loaded.run.id, job.id)
    done = progress.next_step if progress else 0
    for step in position.steps[done:]:
        if step.state != "pending":
            timeline.put(step, state="pending", result="", started_at=None, finished_at=None)
    timeline.put(job, state="pending")
    return True


def _only_waits(step: Step) -> bool:
    return step.task.value.casefold() in server_tasks.TASKS


def _lose(
    orchestrator: Orchestrator, transaction: Transaction, run_id: int, timeline: Timeline, job: RecordRow
) -> RecordRow:
    now = orchestrator.clock()
    for step in timeline.steps(job):
        if step.state == "inProgress":
            issue = {"type": "error", "message": LOST, "data": {}}
            timeline.put(step, issues=(*step.issues, issue), error_count=step.error_count + 1)
            timeline.complete(timeline.by_id(step.id) or step, Result.ABANDONED, now, LOST)
            usage.step_finished(transaction, run_id, step.id, str(Result.ABANDONED), at=now)
        elif not step.completed:
            timeline.complete(step, Result.SKIPPED, now)
    return timeline.complete(job, Result.FAILED, now, LOST)
