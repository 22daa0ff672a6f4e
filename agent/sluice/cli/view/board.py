"""What the views know of a run: its newest records in order, and what it waits for. Nothing here draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from sluice.authorization import texts
from sluice.cli.view import words
from sluice.cli.view.controls import one_line
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

_SHOWN: Final = ("Stage", "Phase", "Job", "Task")


@dataclass(frozen=True, slots=True)
class Wait:
    """What one stage waits for, under the documented banner."""

    banner: str
    requests: tuple[RequestRow, ...]


class Board:
    """The run as it is now. A later attempt of an element takes the place of the earlier one."""

    def __init__(self, run: RunRow, plan: Plan, records: Sequence[RecordRow] = ()) -> None:
        self.run = run
        self.plan = plan
        self.requests: tuple[RequestRow, ...] = ()
        self._records: dict[tuple[str, str], RecordRow] = {}
        self._children: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for record in records:
            self.put(record)
        jobs = [job for stage in plan.stages for job in stage.jobs]
        self.many_jobs = len(jobs) > 1 or any(job.strategy or job.deployment for job in jobs)

    def put(self, record: RecordRow) -> RecordRow | None:
        """Take a record in and answer what it was before."""
        key = (record.type, record.identifier)
        if record.superseded or record.type not in _SHOWN:
            return None
        before = self._records.get(key)
        if before is None:
            self._children.setdefault(_parent(record), []).append(key)
        elif before.attempt < record.attempt:
            before = None
        self._records[key] = record
        return before

    def stages(self) -> list[RecordRow]:
        """The stages in the order of the pipeline."""
        return self._below(("", ""))

    def jobs(self, stage: RecordRow) -> list[RecordRow]:
        """The jobs of a stage: the instances of those that have started, the others as written."""
        jobs: list[RecordRow] = []
        for phase in self._below(("Stage", stage.identifier)):
            jobs += self._below(("Phase", phase.identifier)) or [phase]
        return jobs

    def steps(self, job: RecordRow) -> list[RecordRow]:
        """The steps of a job's instance."""
        return self._below((job.type, job.identifier))

    def waits(self) -> list[Wait]:
        """What the run waits for, stage by stage."""
        by_stage: dict[str, list[RequestRow]] = {}
        for request in self.requests:
            by_stage.setdefault(request.stage, []).append(request)
        return [
            Wait(_banner(requests, stage_title(self.plan, stage)), tuple(requests))
            for stage, requests in by_stage.items()
        ]

    def has_instances(self, phase: RecordRow) -> bool:
        """Whether a job as written has started, so that its instances speak for it."""
        return bool(self._children.get(("Phase", phase.identifier)))

    def _below(self, parent: tuple[str, str]) -> list[RecordRow]:
        children = [self._records[key] for key in tuple(self._children.get(parent, ()))]
        return sorted(children, key=lambda record: record.order)


def _banner(requests: Sequence[RequestRow], stage: str) -> str:
    if all(request.resource_type == texts.STAGE for request in requests):
        return texts.start_banner(stage)
    if all(request.resource_type in texts.CHECKS for request in requests):
        return texts.review_banner(len(requests), stage)
    permits = [request for request in requests if request.resource_type not in texts.STEP_WAITS | texts.CHECKS]
    if not permits:
        first = requests[0]
        return texts.step_banner(first.resource_type, one_line(first.resource_name))
    return texts.banner(len(permits), stage)


def stage_title(plan: Plan, name: str) -> str:
    """The display name of a stage that somebody named; '' for the implicit one."""
    if name == words.IMPLICIT:
        return ""
    found = (stage.display_name for stage in plan.stages if stage.name.casefold() == name.casefold())
    return one_line(next(found, "") or name)


def named(stage: RecordRow) -> bool:
    """Whether somebody wrote this stage; the implicit one is not shown."""
    return stage.identifier != words.IMPLICIT


def _parent(record: RecordRow) -> tuple[str, str]:
    """The element around a record; identifiers leave the implicit stage out."""
    around = record.identifier.rpartition(".")[0]
    kind = {"Stage": "", "Phase": "Stage", "Job": "Phase", "Task": "Job"}[record.type]
    if not kind:
        return "", ""
    return kind, around or words.IMPLICIT
