"""What the runtime tells while a job runs. Every text in an event is masked already, unless it is a `Secret`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field

from sluice.runtime.request import JobProgress, Result, WaitFor
from sluice.secret import Secret
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStarted:
    """The job begins, or goes on after a pause."""

    job: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    """A step begins. `step` is its record id."""

    job: str
    step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogWritten:
    """Log text of a step: lines ended by a line feed, UTF-8, no time stamps.

    With `unfinished` the last line has no line feed yet, because nothing more came for a while: the step's next
    `LogWritten` goes on with that line.
    """

    job: str
    step: str
    text: bytes
    unfinished: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueRaised:
    """An error or warning issue of a step; `data` may hold `sourcepath`, `linenumber`, `columnnumber`, `code`."""

    job: str
    step: str
    type: str
    message: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgressed:
    """How far a step is, 0 to 100, and what it is doing."""

    job: str
    step: str
    percent: int
    operation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailChanged:
    """A nested record of a step as it is now; `parent` is another one's id, '' for the step itself.

    Times are as the step wrote them.
    """

    job: str
    step: str
    id: str
    parent: str
    type: str
    name: str
    order: int = 0
    started: str = ""
    finished: str = ""
    percent: int = 0
    state: str = ""
    result: str = ""
    operation: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TagAdded:
    """A step gives its run a tag."""

    job: str
    step: str
    tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished:
    """A step has ended; `progress` lets the job go on from here, `outputs` are the step's output variables."""

    job: str
    step: str
    result: Result
    message: str = ""
    outputs: Mapping[str, str | Secret] = field(default_factory=dict)
    progress: JobProgress


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSuspended:
    """A step needs a Permit that nobody has given yet, or `wait` says what it waits for.

    The job holds nothing and can go on later.
    """

    job: str
    step: str
    progress: JobProgress
    wait: WaitFor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFinished:
    """The job has ended."""

    job: str
    result: Result
    message: str = ""


Event = (
    JobStarted
    | StepStarted
    | LogWritten
    | IssueRaised
    | StepProgressed
    | DetailChanged
    | TagAdded
    | StepFinished
    | JobSuspended
    | JobFinished
)
Emit = Callable[[Event], None]
