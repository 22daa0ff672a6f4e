"""Runs the failed parts of a run again: new attempts of them, and of what depends on them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from sluice.connections.sealing import Sealed
from sluice.errors import ConflictError, UsageError
from sluice.language.plan import Job, Stage
from sluice.runs.decide import CHECKPOINTS
from sluice.runs.decisions import END_AT_ONCE
from sluice.runs.identifiers import attempted, record_id, shown
from sluice.runs.orchestrator import Loaded, Orchestrator, sealed_identity
from sluice.runs.pipelines import require_queue
from sluice.runs.progress import decode_progress, encode_progress
from sluice.runs.timeline import STARTED_BY, Timeline
from sluice.runs.waits import waited_too_long
from sluice.runtime.request import Result
from sluice.storage import records, runs
from sluice.storage.engine import Transaction
from sluice.storage.records import RecordRow
from sluice.storage.runs import SealedRow

_BAD = frozenset({Result.FAILED, Result.CANCELED, Result.ABANDONED})
_KEPT_DETAILS = (
    "needs",
    "leg",
    "position",
    "total",
    "hook",
    "wave",
    "environment",
    "resource",
    "resourceId",
    "increment",
    STARTED_BY,
)
"""What of an element's details holds for each of its attempts."""


def retry(orchestrator: Orchestrator, run_id: int, *, from_step: str = "") -> None:
    """Make the failed and canceled parts of a finished run, and what depends on them, ready to run again.

    What succeeded stays. `from_step` is `STAGE.JOB.STEP` (or the step's shorter path in a pipeline without stages):
    that job then goes on from this step, with the variables it had there. Raises `ConflictError` when there is nothing
    to run again.
    """
    with orchestrator.database.write() as transaction:
        loaded = orchestrator.load(transaction, run_id)
        require_queue(transaction, orchestrator.store.guard, loaded.run)
        if loaded.run.state != "completed":
            raise ConflictError(f"run {run_id} is not over", do=f"go on with it: sluice resume {run_id}")
        again = _Retry(orchestrator, transaction, loaded)
        if not again.run(from_step):
            raise ConflictError(f"every part of run {run_id} succeeded: there is nothing to run again")
        runs.change(transaction, run_id, state="inProgress", result="", finished_at=None, cancel_requested_by="")
        if END_AT_ONCE in loaded.run.options:
            options = {name: value for name, value in loaded.run.options.items() if name != END_AT_ONCE}
            runs.set_options(transaction, run_id, options)


class _Retry:
    """One retry; its attributes are what it works on."""

    def __init__(self, orchestrator: Orchestrator, transaction: Transaction, loaded: Loaded) -> None:
        self.orchestrator = orchestrator
        self.transaction = transaction
        self.loaded = loaded
        self.timeline = Timeline(loaded.situation.records)
        self.changed: list[RecordRow] = []
        self.new: list[RecordRow] = []
        self.step: RecordRow | None = None

    def run(self, from_step: str) -> bool:
        self.step = self._step(from_step) if from_step else None
        stages = self.loaded.plan.stages
        canceled = self.loaded.run.result == Result.CANCELED
        bad = [stage.name for stage in stages if self._is_bad(stage, canceled=canceled)]
        again = _with_dependents(stages, bad)
        for stage in stages:
            if stage.name in again:
                self._stage(stage, whole=stage.name not in bad)
        records.save(self.transaction, self.loaded.run.id, self.changed)
        records.add(self.transaction, self.loaded.run.id, self.new)
        return bool(self.new)

    def _is_bad(self, stage: Stage, *, canceled: bool) -> bool:
        record = self.timeline.stage(stage)
        if record.result in _BAD or waited_too_long(record) or (canceled and record.result == Result.SKIPPED):
            return True
        return any(self._holds_step(self.timeline.phase(stage, job)) for job in stage.jobs)

    def _stage(self, stage: Stage, *, whole: bool) -> None:
        record = self.timeline.stage(stage)
        new = self._again(record)
        around = f"{record.identifier}."
        self._supersede(
            *(one for one in self.timeline if one.type in CHECKPOINTS and one.identifier.startswith(around))
        )
        phases = {job.name: self.timeline.phase(stage, job) for job in stage.jobs}
        bad = [name for name, phase in phases.items() if phase.result in _BAD or self._holds_step(phase)]
        dependents = _with_dependents(stage.jobs, bad) - set(bad)
        for job in stage.jobs:
            phase = phases[job.name]
            if whole or job.name in dependents or phase.result == Result.SKIPPED:
                self._again(phase, parent=new)
                for instance in self.timeline.jobs(phase):
                    self._supersede(instance, *self.timeline.steps(instance))
            elif job.name in bad:
                self._phase(job, phase, new)
            else:
                self.changed.append(replace(phase, parent_id=new.id))

    def _phase(self, job: Job, phase: RecordRow, stage: RecordRow) -> None:
        """A job again: of its instances those that failed; of a deployment's hooks also all that follow."""
        new = self._again(phase, parent=stage)
        # documented: a rolling deployment runs again on all machines
        failed = job.deployment is not None and job.deployment.strategy == "rolling"
        for instance in self.timeline.jobs(phase):
            resumed = self.step is not None and self.step.parent_id == instance.id
            is_bad = resumed or instance.result in _BAD or instance.result == Result.SKIPPED
            failed = is_bad or (failed and job.deployment is not None)
            if failed:
                self._instance(instance, new, self.step if resumed else None)
            else:
                self.changed.append(replace(instance, parent_id=new.id))

    def _instance(self, job: RecordRow, phase: RecordRow, resumed: RecordRow | None) -> None:
        steps = self.timeline.steps(job)
        done = steps.index(resumed) if resumed else 0
        new = self._again(job, parent=phase)
        for index, step in enumerate(steps):
            self._again(step, parent=new, kept=index < done)
        if done:
            self._copy_progress(job, new, done)

    def _copy_progress(self, job: RecordRow, new: RecordRow, done: int) -> None:
        run_id = self.loaded.run.id
        row = runs.sealed(self.transaction, run_id, job.id, done)
        if row is None:
            raise ConflictError("the state of that job before that step is not kept", do="retry without --from")
        sealer = self.orchestrator.store.sealer
        raw = sealer.open_blob(sealed_identity(run_id, job.id), done, Sealed(row.key_id, row.wrapped_key, row.sealed))
        # a new attempt has all of its time
        fresh = encode_progress(replace(decode_progress(raw), used_seconds=0))
        sealed = sealer.seal_blob(sealed_identity(run_id, new.id), done, fresh)
        copy = SealedRow(
            run_id=run_id,
            job_id=new.id,
            step=done,
            key_id=sealed.key_id,
            wrapped_key=sealed.wrapped_key,
            sealed=sealed.sealed,
        )
        runs.save_sealed(self.transaction, copy)

    def _again(self, record: RecordRow, *, parent: RecordRow | None = None, kept: bool = False) -> RecordRow:
        """A new attempt of an element; a `kept` one is over already, as it was."""
        attempt = record.attempt + 1
        new_id = record_id(attempted(record.identifier, attempt))
        parent_id = parent.id if parent else record.parent_id
        new = replace(record, id=new_id, attempt=attempt, parent_id=parent_id)
        if not kept:
            new = RecordRow(
                id=new_id,
                attempt=attempt,
                type=record.type,
                identifier=record.identifier,
                name=record.name,
                ref_name=record.ref_name,
                parent_id=parent_id,
                order=record.order,
                details={key: record.details[key] for key in _KEPT_DETAILS if key in record.details},
            )
        self._supersede(record)
        self.new.append(new)
        return new

    def _supersede(self, *old: RecordRow) -> None:
        self.changed.extend(replace(record, superseded=True) for record in old)

    def _step(self, path: str) -> RecordRow:
        wanted = path.casefold()
        steps = [record for record in self.timeline if record.type == "Task"]
        for step in steps:
            short = shown(step.identifier)
            titled = f"{short.rpartition('.')[0]}.{step.name}"
            if wanted in {step.identifier.casefold(), short.casefold(), titled.casefold()}:
                return step
        known = ", ".join(shown(step.identifier) for step in steps[:10])
        raise UsageError(f"there is no step '{path}' in run {self.loaded.run.id}", do=f"known: {known}")

    def _holds_step(self, phase: RecordRow) -> bool:
        step = self.step
        return step is not None and any(step.parent_id == job.id for job in self.timeline.jobs(phase))


def _with_dependents(units: Sequence[Stage] | Sequence[Job], names: Iterable[str]) -> set[str]:
    """The names, and those of all units that depend on one of them, however indirectly."""
    found = {name.casefold() for name in names}
    before = -1
    while before != len(found):
        before = len(found)
        found |= {unit.name.casefold() for unit in units if {name.casefold() for name in unit.depends_on} & found}
    return {unit.name for unit in units if unit.name.casefold() in found}
