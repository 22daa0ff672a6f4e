"""`--break-on-failure` and `--break-before`: which steps hold their job, and whether there is a terminal to ask at."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sluice.errors import NotFoundError, UsageError
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.cli.driving import Manner
    from sluice.language.plan import Plan
    from sluice.runtime.request import JobRequest, StepRequest

Command = TypeVar("Command", bound=Callable[..., Any])

_MACRO = re.compile(r"\$\([^()]*\)")


def break_options(command: Command) -> Command:
    """The options of a command that can hold jobs."""
    before = click.option(
        "--break-before",
        multiple=True,
        metavar="STEP",
        help="Hold the job before this step and ask: its name, its display name or STAGE.JOB.STEP (several: repeat).",
    )
    failure = click.option("--break-on-failure", is_flag=True, help="Hold a job where a step failed, and ask.")
    return failure(before(command))


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaks:
    """Where jobs are held."""

    on_failure: bool = False
    before: Sequence[str] = ()

    def __bool__(self) -> bool:
        return self.on_failure or bool(self.before)

    def check_terminal(self, manner: Manner, *, detach: bool = False) -> None:
        """Raise `UsageError` when nobody could be asked."""
        if not self or (manner.asks and not detach):
            return
        option = "--break-on-failure" if self.on_failure else "--break-before"
        against = "--non-interactive" if manner.non_interactive else "--detach" if detach else ""
        against = against or ("--output json" if manner.output != "text" else "")
        if against:
            raise UsageError(f"{option} asks a person how to go on, and {against} says that there is none")
        raise UsageError(
            f"{option} asks at a terminal how to go on, and there is none",
            do="run it in a terminal, without redirecting its input or output",
        )

    def check_steps(self, plan: Plan) -> None:
        """Raise `NotFoundError` for a step that the pipeline does not have."""
        for wanted in self.before:
            known = list(_steps(plan))
            if not any(_means(wanted, path, name, display) for path, name, display in known):
                near = ", ".join(f"{path}.{name}" for path, name, _ in known[:10])
                raise NotFoundError(f"the pipeline has no step '{wanted}' to break before", do=f"it has: {near}")

    def holds_before(self, job: JobRequest, step: StepRequest) -> bool:
        """Whether the job is held before this step."""
        from sluice.runs.identifiers import shown

        return any(_means(wanted, shown(job.identifier), step.name, step.display_name) for wanted in self.before)


def _steps(plan: Plan) -> Iterator[tuple[str, str, str]]:
    """The path of the job, the name and the display name of each step."""
    from sluice.runs.identifiers import join, shown

    for stage in plan.stages:
        for job in stage.jobs:
            hooks = job.deployment.hooks if job.deployment is not None else ()
            for step in (*job.steps, *(one for hook in hooks for one in hook.steps)):
                yield shown(join(stage.name, job.name)), step.name, step.display_name


def _means(wanted: str, path: str, name: str, display: str) -> bool:
    """Whether a text names a step. The path may end earlier than the job's, which has the leg of a matrix or a hook."""
    text = wanted.strip().casefold()
    if text == name.casefold() or _displays(display).fullmatch(text):
        return True
    before, dot, last = text.rpartition(".")
    if not dot or last != name.casefold():
        return False
    job = path.casefold()
    return before == job or job.startswith(f"{before}.") or before.startswith(f"{job}.")


def _displays(display: str) -> re.Pattern[str]:
    """What a display name may be once its macros are expanded."""
    return re.compile(".*".join(re.escape(part) for part in _MACRO.split(display.casefold())), re.DOTALL)
