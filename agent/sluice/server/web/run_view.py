"""A run as its page shows it: the graph of stages, the tree of jobs and steps, issues, and which step's log is open."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sluice.authorization.checks.suite import RECORD_TYPES
from sluice.runs.recorder import LINE
from sluice.runs.step_waits import wait_of
from sluice.runs.timeline import parent
from sluice.server.web import words
from sluice.server.web.words import IMPLICIT, Look, plain, stage_name
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.storage.records import RecordRow

SHOWN_JOBS = 3
"""Up to so many jobs show their steps unasked."""

MANY_STEPS = 300
"""Of more steps only those of jobs that are looked at, run or failed stand on the page."""

MAX_ISSUES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """A step in the tree; `has_log` once it has started."""

    id: str
    identifier: str
    title: str
    look: Look
    took: str
    since: float | None
    attempt: int
    has_log: bool
    running: bool
    failed: bool
    job: str = ""
    stage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobView:
    """A job in the tree: an instance, or what is to become some."""

    id: str
    title: str
    look: Look
    took: str
    since: float | None
    attempt: int
    message: str
    steps: tuple[StepView, ...]
    open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StageView:
    """A stage in the graph and in the tree; `title` is '' for the one that nobody wrote."""

    id: str
    name: str
    title: str
    look: Look
    took: str
    since: float | None
    attempt: int
    message: str
    after: tuple[str, ...]
    layer: int
    jobs: tuple[JobView, ...]
    done: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueView:
    """An error or a warning, where it was raised, and the line of the log that says it."""

    look: Look
    text: str
    place: str
    step: str
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunView:
    """All of that."""

    stages: tuple[StageView, ...]
    layers: tuple[tuple[StageView, ...], ...]
    steps: Mapping[str, StepView]
    issues: tuple[IssueView, ...]
    selected: StepView | None
    small: bool = True
    """Whether there are few enough steps to show those of every job."""

    @classmethod
    def empty(cls) -> RunView:
        """Of a run that cannot be read."""
        return cls(stages=(), layers=(), steps={}, issues=(), selected=None)


def view_of(plan: Plan, records: Sequence[RecordRow], waits: Mapping[str, str], *, wanted: str = "") -> RunView:
    """What the page shows; `waits` says what stages wait for, `wanted` is the id of the step whose log is asked for."""
    tree = _Tree(records, waits)
    chosen = wanted or _choose(records)
    layers = _layers(plan)
    stages = tuple(
        _stage(tree, record, chosen, after=tuple(stage.depends_on), layer=layers[stage.name], title=stage.display_name)
        for stage in plan.stages
        if (record := tree.stages.get(stage.name)) is not None
    )
    steps = {step.id: step for stage in stages for job in stage.jobs for step in job.steps}
    columns = [
        tuple(stage for stage in stages if stage.layer == number)
        for number in range(max(layers.values(), default=0) + 1)
    ]
    return RunView(
        stages=stages,
        layers=tuple(column for column in columns if column),
        steps=steps,
        issues=tuple(_issues(tree))[:MAX_ISSUES],
        selected=steps.get(chosen),
        small=len(steps) <= MANY_STEPS,
    )


class _Tree:
    """The records of a run by what they belong to."""

    def __init__(self, records: Sequence[RecordRow], waits: Mapping[str, str]) -> None:
        self.records = records
        self.waits = waits
        self.stages = {record.identifier: record for record in records if record.type == "Stage"}
        self.below: dict[tuple[str, str], list[RecordRow]] = {}
        for record in records:
            if record.type in {"Phase", "Job", "Task"}:
                self.below.setdefault((record.type, _around(record)), []).append(record)


def _around(record: RecordRow) -> str:
    """What a record lies in; a phase of the stage that nobody wrote lies in that stage."""
    if record.type == "Phase":
        return record.identifier.rpartition(".")[0] or IMPLICIT
    return parent(record.identifier)


def _stage(tree: _Tree, record: RecordRow, chosen: str, *, after: tuple[str, ...], layer: int, title: str) -> StageView:
    phases = tree.below.get(("Phase", record.identifier), [])
    instances = [(phase, tree.below.get(("Job", phase.identifier), [])) for phase in phases]
    few = sum(max(len(jobs), 1) for _, jobs in instances) <= SHOWN_JOBS
    jobs = [
        _job(tree, phase, job, chosen, few=few)
        for phase, found in instances
        for job in (found or [None])  # type: ignore[list-item]
    ]
    named = stage_name(record.identifier)
    return StageView(
        id=record.id,
        name=record.identifier,
        title=plain(title or named) if named else "",
        look=words.record_look(record, "" if record.completed else tree.waits.get(record.identifier, "")),
        took=words.took(record.started_at, record.finished_at),
        since=_since(record),
        attempt=record.attempt,
        message=plain(record.message),
        after=after,
        layer=layer,
        jobs=tuple(jobs),
        done=sum(job.look.tone not in {"s-run", "s-wait"} and job.look is not words.QUEUED for job in jobs),
    )


def _job(tree: _Tree, phase: RecordRow, job: RecordRow | None, chosen: str, *, few: bool) -> JobView:
    record = job or phase
    steps = tuple(_step(one, record) for one in (tree.below.get(("Task", record.identifier), []) if job else []))
    wait = wait_of(record.details) if job else None
    waits = "" if wait is None else "Waiting for a person" if wait.kind == "manualvalidation" else "Waiting"
    if not waits and record.state == "waiting":
        waits = "Permission needed"
    title = plain(phase.name or phase.ref_name)
    if job is not None and job.ref_name != IMPLICIT and job.name and job.name != phase.name:
        title = plain(job.name) if plain(job.name).startswith(title) else f"{title} {plain(job.name)}"
    look = words.record_look(record, "" if record.completed else waits)
    return JobView(
        id=record.id,
        title=title if title != IMPLICIT else "Job",
        look=look,
        took=words.took(record.started_at, record.finished_at),
        since=_since(record),
        attempt=record.attempt,
        message=plain(record.message),
        steps=steps,
        open=few or look.tone in {"s-bad", "s-run", "s-wait"} or any(step.id == chosen for step in steps),
    )


def _step(record: RecordRow, job: RecordRow) -> StepView:
    return StepView(
        id=record.id,
        identifier=record.identifier,
        title=plain(record.name or record.ref_name),
        look=words.record_look(record),
        took=words.took(record.started_at, record.finished_at),
        since=_since(record),
        attempt=record.attempt,
        has_log=record.started_at is not None,
        running=record.state == "inProgress",
        failed=record.result in {"Failed", "Abandoned"},
        job=plain(job.name),
    )


def _since(record: RecordRow) -> float | None:
    return record.started_at if record.state == "inProgress" else None


def _choose(records: Sequence[RecordRow]) -> str:
    """The step whose log is looked at unasked: the one that runs, or the first that failed, or the last one."""
    steps = [record for record in records if record.type == "Task" and record.started_at is not None]
    running = [step for step in steps if step.state == "inProgress"]
    failed = [step for step in steps if step.result in {"Failed", "Abandoned"}]
    if failed or running:
        return (failed or running)[0].id
    return max(steps, key=lambda step: (step.started_at or 0.0, step.order)).id if steps else ""


def _layers(plan: Plan) -> dict[str, int]:
    """The column of each stage: one behind the farthest of those that it depends on."""
    found = {stage.name.casefold(): 0 for stage in plan.stages}
    changed = True
    while changed:  # once or twice: stages mostly stand behind those that they depend on
        changed = False
        for stage in plan.stages:
            before = [found[name.casefold()] for name in stage.depends_on if name.casefold() in found]
            layer = max(before, default=-1) + 1
            changed = changed or layer != found[stage.name.casefold()]
            found[stage.name.casefold()] = layer
    return {stage.name: found[stage.name.casefold()] for stage in plan.stages}


def _issues(tree: _Tree) -> list[IssueView]:
    found = []
    for record in tree.records:
        if record.type in RECORD_TYPES:
            continue
        for issue in record.issues:
            error = str(issue.get("type", "error")).lower() == "error"
            look = words.result_look("Failed" if error else "SucceededWithIssues")
            line = _line(issue)
            found.append(
                IssueView(
                    look=Look(look.icon, look.tone, "Error" if error else "Warning"),
                    text=plain(str(issue.get("message", ""))),
                    place=plain(record.name if record.type == "Task" else stage_name(record.identifier)),
                    step=record.id if record.type == "Task" else "",
                    line=line,
                )
            )
    return sorted(found, key=lambda one: one.look.text)


def _line(issue: Mapping[str, Any]) -> int:
    data = issue.get("data")
    text = str(data.get(LINE, "")) if isinstance(data, Mapping) else ""
    return int(text) if text.isdecimal() and len(text) < 10 else 0
