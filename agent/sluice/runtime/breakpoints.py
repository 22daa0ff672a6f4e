"""Breakpoints: a job is held at a step, and a person looks around before it goes on.

The runtime says where a job is held and what a shell there starts with; whoever runs the job asks the person. The clocks
of the job and the step stand still meanwhile.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sluice.errors import SluiceError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.environment import step_environment
from sluice.runtime.place import HOST
from sluice.runtime.request import Execution, JobRequest, StepRequest
from sluice.runtime.step_scope import StepScope
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.runtime.step_plan import StepPlan

EDITED = "This attempt ran a script that was edited at a breakpoint; the pipeline has another one."

_SCRIPTS = {"cmdline": ".sh", "bash": ".sh", "powershell": ".ps1"}
"""The tasks that have their script in the input `script`, and how a file with it ends."""


class Moment(enum.StrEnum):
    """When a job is held."""

    BEFORE = "before"
    FAILED = "failed"


class Next(enum.StrEnum):
    """What happens next: `CONTINUE` runs a step that was held before, and lets the failure of one that failed stand."""

    CONTINUE = "continue"
    RETRY = "retry"
    SKIP = "skip"
    ABORT = "abort"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person decided. `script` takes the place of the step's own for the next attempt only."""

    next: Next
    script: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """How a shell is started that sees what the step's handler sees. Secrets may be in its environment.

    `folder` is where it is in its own place, perhaps a container; the process starts in `start`. `missing` says why
    there is none.
    """

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(repr=False)
    start: Path | None = None
    missing: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Where a job is held.

    `message` is why the step failed, masked. `script` is the step's script as the pipeline has it, macros and all, ''
    when it has none of its own, and `suffix` how a file with it ends. `cancellation` is the job's: once it is canceled
    nothing is asked any more.
    """

    job: JobRequest
    step: StepRequest
    moment: Moment
    message: str
    shell: Shell
    script: str = ""
    suffix: str = ""
    cancellation: Cancellation


class Breakpoints(Protocol):
    """Where jobs are held, and the person who says how they go on. Called in the threads of jobs."""

    def holds(self, job: JobRequest, step: StepRequest, moment: Moment) -> bool:
        """Whether the job is held there."""

    def ask(self, held: Held) -> Answer:
        """How it goes on. Blocks for as long as the person takes, or until the job is canceled."""


def hold(
    breakpoints: Breakpoints | None, scope: StepScope, plan: StepPlan | None, moment: Moment, cancellation: Cancellation
) -> Answer | None:
    """Hold the job here if that is wanted; None when nobody holds it. `plan` is None when none could be made."""
    job, step = scope.job, scope.step
    if breakpoints is None or cancellation.canceled or not breakpoints.holds(job.request, step, moment):
        return None
    failed = moment is Moment.FAILED
    scope.say("Held at a breakpoint: the step failed." if failed else "Held at a breakpoint before the step.")
    scope.progress(0, "Held at a breakpoint")
    name, _, _ = step.task.partition("@")
    script = _input(step, "script") if plan is not None and plan.native is not None and _is_inline(step) else ""
    held = Held(
        job=job.request,
        step=step,
        moment=moment,
        message=job.masker.mask_text(scope.message),
        shell=shell_of(scope, plan),
        script=script,
        suffix=_SCRIPTS.get(name.casefold(), "") if script else "",
        cancellation=cancellation,
    )
    with job.clock.held():
        answer = breakpoints.ask(held)
    scope.progress(0)
    scope.say(f"At the breakpoint: {'edit' if answer.script is not None else answer.next}.")
    return answer


def shell_of(scope: StepScope, plan: StepPlan | None) -> Shell:
    """A shell with the environment, the folder and the path that the step's handler gets, and nothing more.

    Its history goes with the job's private folder.
    """
    job = scope.job
    place = plan.place if plan is not None else HOST
    environment, folder = _surroundings(scope, plan)
    # What the person types may hold secrets, and is no business of the history in the home folder.
    environment["HISTFILE"] = place.inner(f"{job.workspace.temp}/.shell_history")
    # The last part of the folder alone: of a line that is too long a dumb terminal does not show the beginning.
    environment["PS1"] = f"({scope.step.name or scope.step.task}) \\W\\$ "
    if place.contained:
        environment["TERM"] = job.environ.get("TERM", "xterm")
    try:
        bash = place.find("bash", environment)
        # Without start-up files: they would change what the step has.
        arguments = (bash, "--noprofile", "--norc", "-i") if bash else ("/bin/sh", "-i")
        command, given = place.attached(arguments, cwd=folder, env=environment, private=job.workspace.temp)
    except SluiceError as error:
        return Shell(arguments=(), folder=folder, environment={}, missing=str(error))
    inside = Path(place.inner(str(folder)))
    return Shell(arguments=command, folder=inside, environment=given, start=folder if folder.is_dir() else None)


def edited(step: StepRequest, script: str) -> StepRequest:
    """The step with another script."""
    inputs = {name: text for name, text in step.inputs.items() if name.strip().casefold() != "script"}
    return replace(step, inputs={**inputs, "script": script})


def is_main(step: StepRequest) -> bool:
    """Whether this is the step itself, not what its task does before or after the job's steps."""
    return step.execution is Execution.MAIN


def _surroundings(scope: StepScope, plan: StepPlan | None) -> tuple[dict[str, str], Path]:
    job = scope.job
    root = Path(job.variables.text("System.DefaultWorkingDirectory") or job.workspace.sources)
    folder = root if root.is_dir() else job.workspace.root
    if plan is None:
        return step_environment(job, {}), folder
    if plan.package is not None:
        from sluice.runtime.packages.running import handler_place

        try:
            environment, where = handler_place(plan.package, scope, plan.environment, root)
        except SluiceError:  # what is wrong there is why the step failed
            return dict(plan.environment), folder
        return dict(environment), where if where.is_dir() else folder
    written = next((text for name, text in plan.inputs.items() if name.casefold() == "workingdirectory"), "")
    outer = plan.place.outer(written.strip()) if plan.place.contained else written.strip()
    where = root / (outer or "")
    return dict(plan.environment), where if plan.native is not None and where.is_dir() else folder


def _is_inline(step: StepRequest) -> bool:
    name = step.task.partition("@")[0].casefold()
    return name == "cmdline" or (name in _SCRIPTS and _input(step, "targetType").strip().casefold() == "inline")


def _input(step: StepRequest, name: str) -> str:
    return next((text for key, text in step.inputs.items() if key.strip().casefold() == name.casefold()), "")
