"""Runs jobs for tests: real folders, real processes, events collected."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sluice.errors import SluiceError
from sluice.hooks.connection import Connection
from sluice.hooks.declaration import Task
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import Event, IssueRaised, JobFinished, JobSuspended, LogWritten, StepFinished
from sluice.runtime.job import Suspended, run_job
from sluice.runtime.request import ConnectionInput, JobRequest, JobVariable, Result, StepRequest
from sluice.secret import Secret


class Connections:
    """A ConnectionSource with connections by name; an error in place of one is raised."""

    def __init__(self, known: Mapping[str, Connection | SluiceError]) -> None:
        self.known = dict(known)
        self.asked: list[tuple[str, str]] = []

    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        self.asked.append((step.name, name))
        found = self.known[name]
        if isinstance(found, SluiceError):
            raise found
        return found


@dataclass
class Ran:
    """What a job told."""

    events: list[Event] = field(default_factory=list)
    outcome: Result | Suspended | None = None

    def log(self, step: str = "") -> str:
        return b"".join(
            event.text for event in self.events if isinstance(event, LogWritten) and step in {"", event.step}
        ).decode("utf-8", "surrogateescape")

    def output(self, step: str) -> list[str]:
        """The lines that a script printed, between the tasks' own."""
        text = self.log(step).partition("[command]")[2].partition("\n")[2]
        return text.partition("##[section]Finishing:")[0].splitlines()

    def results(self) -> dict[str, str]:
        return {event.step: event.result.value for event in self.finished()}

    def finished(self) -> list[StepFinished]:
        return [event for event in self.events if isinstance(event, StepFinished)]

    def issues(self, step: str = "") -> list[tuple[str, str]]:
        return [
            (event.type, event.message)
            for event in self.events
            if isinstance(event, IssueRaised) and step in {"", event.step}
        ]

    def last(self) -> JobFinished | JobSuspended:
        event = self.events[-1]
        assert isinstance(event, JobFinished | JobSuspended)
        return event


class Jobs:
    """Makes requests and runs them."""

    def __init__(self, folder: Path) -> None:
        self.work = folder / "work"
        self.repository = folder / "repository"
        self.repository.mkdir()
        self.environ: dict[str, str] = {"PATH": os.environ["PATH"], "HOME": os.fspath(folder)}
        self.tasks: dict[str, Task] = {}
        self.connections = Connections({})

    @staticmethod
    def step(task: str, name: str = "A", **parts: object) -> StepRequest:
        given: dict[str, object] = {"id": name, "name": name, "display_name": name, "task": task}
        return StepRequest(**(given | parts))  # type: ignore[arg-type]

    @staticmethod
    def script(text: str, name: str = "A", **parts: object) -> StepRequest:
        """A `script:` step."""
        return Jobs.step("CmdLine@2", name, inputs={"script": text}, **parts)

    @staticmethod
    def variables(**values: str | Secret) -> tuple[JobVariable, ...]:
        return tuple(JobVariable(name=name, value=value) for name, value in values.items())

    def request(self, *steps: StepRequest, **parts: object) -> JobRequest:
        given: dict[str, object] = {
            "run_id": 7,
            "id": "job-id",
            "identifier": "Stage.Job",
            "display_name": "Job",
            "work": self.work,
            "workspace": self.work / "1",
            "repository": self.repository,
            "steps": steps,
        }
        return JobRequest(**(given | parts))  # type: ignore[arg-type]

    def run(
        self,
        *steps: StepRequest,
        cancellation: Cancellation | None = None,
        watch: Callable[[Event], None] | None = None,
        **parts: object,
    ) -> Ran:
        return self.go(self.request(*steps, **parts), cancellation=cancellation, watch=watch)

    def go(
        self,
        request: JobRequest,
        *,
        cancellation: Cancellation | None = None,
        watch: Callable[[Event], None] | None = None,
    ) -> Ran:
        ran = Ran()

        def emit(event: Event) -> None:
            ran.events.append(event)
            if watch is not None:
                watch(event)

        ran.outcome = run_job(
            request,
            emit=emit,
            connections=self.connections,
            find_task=self.tasks.get,
            cancellation=cancellation or Cancellation(),
            environ=self.environ,
        )
        return ran


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    return Jobs(tmp_path)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    assert not left
