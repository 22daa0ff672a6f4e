from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import pytest

from sluice.errors import Location
from sluice.language.plan import Job, Plan, Stage, Step, Text
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.storage.runs import RunRow

START = 1_700_000_000.0


class Watcher(Protocol):
    def record_changed(self, record: RecordRow) -> None: ...


class Story:
    """Builds the values that an observer is told, at times that count from START."""

    run = RunRow(
        id=12,
        project_id=1,
        pipeline_id=1,
        pipeline="release",
        name="20261124.1",
        state="inProgress",
        result="",
        cancel_requested_by="",
        requested_by="ada",
        created_at=START,
        started_at=START,
    )

    def plan(self, stages: Mapping[str, Sequence[str]] | None = None, where: str = "azure-pipelines.yml") -> Plan:
        stages = stages or {"__default": ["Job"]}
        return Plan(
            file=where,
            stages=tuple(
                Stage(
                    name=name,
                    display_name=f"{name} it" if name != "__default" else name,
                    jobs=tuple(self.job(job, where) for job in jobs),
                )
                for name, jobs in stages.items()
            ),
        )

    def job(self, name: str, where: str) -> Job:
        step = Step(
            task=Text("SSH@0", Location(where, 3, 11)),
            name="SSH1",
            display_name="Run it there",
            inputs={"sshEndpoint": Text("build-vm", Location(where, 5, 20))},
            where=Location(where, 3, 5),
        )
        return Job(name=name, display_name=name, steps=(step,))

    def pending(self, plan: Plan) -> list[RecordRow]:
        records = []
        for order, stage in enumerate(plan.stages, start=1):
            records.append(self.record("Stage", stage.name, stage.display_name, order=order))
            for place, job in enumerate(stage.jobs, start=1):
                prefix = "" if stage.name == "__default" else f"{stage.name}."
                records.append(self.record("Phase", f"{prefix}{job.name}", job.name, order=place))
        return records

    def record(self, kind: str, identifier: str, name: str = "", **values: Any) -> RecordRow:
        last = identifier.rpartition(".")[2]
        return RecordRow(
            id=f"{kind}:{identifier}", type=kind, identifier=identifier, name=name or last, ref_name=last, **values
        )

    def begin(self, view: Watcher, record: RecordRow, at: float = 0) -> RecordRow:
        record = replace(record, state="inProgress", started_at=START + at)
        view.record_changed(record)
        return record

    def end(
        self, view: Watcher, record: RecordRow, result: str = "Succeeded", at: float = 1, **values: Any
    ) -> RecordRow:
        record = replace(record, state="completed", result=result, finished_at=START + at, **values)
        view.record_changed(record)
        return record

    def over(self, result: str = "Succeeded", at: float = 65) -> RunRow:
        return replace(self.run, state="completed", result=result, finished_at=START + at)

    def request(self, name: str = "build-vm", stage: str = "Deploy", **values: Any) -> RequestRow:
        return RequestRow(
            run_id=12,
            project_id=1,
            pipeline_id=1,
            stage=stage,
            resource_id=f"id-{name}",
            resource_name=name,
            created_at=START,
            expires_at=START + 600,
            **{"where": "azure-pipelines.yml:5:20", **values},
        )


@pytest.fixture
def story() -> Story:
    return Story()
