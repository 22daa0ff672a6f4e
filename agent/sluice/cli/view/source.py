"""Where in the pipeline a resource is named: the step, and the YAML lines around it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sluice.cli.view.controls import one_line, plain
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.plan import Job, Plan, Step

_AROUND: Final = 3
_MOST: Final = 40
_LONGEST: Final = 120
_MAX_LINE: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Naming:
    """The step that names a resource, and the job it belongs to."""

    step: Step
    job: Job


def naming(plan: Plan, where: str, stage_name: str) -> Naming | None:
    """The step of a stage with an input at that place, which a template may share with other stages."""
    wanted = stage_name.casefold()
    jobs = (job for stage in plan.stages if stage.name.casefold() == wanted for job in stage.jobs)
    for job in jobs if where else ():
        hooks = job.deployment.hooks if job.deployment else ()
        for step in itertools.chain(job.steps, *(hook.steps for hook in hooks)):
            if any(str(text.where) == where for text in step.inputs.values()):
                return Naming(step, job)
    return None


def written(plan: Plan, where: str, stage_name: str) -> str:
    """What is written at a place that names a resource, macros and all; '' when that is no step's input."""
    found = naming(plan, where, stage_name)
    texts = found.step.inputs.values() if found else ()
    return next((text.value.strip() for text in texts if str(text.where) == where), "")


def diff(lines: Sequence[str]) -> list[str]:
    """A diff for the terminal: not too long, and nothing in it steers."""
    shown = [_shown(line) for line in lines[:_MOST]]
    return shown if len(lines) <= _MOST else [*shown, f"... {len(lines) - _MOST} more lines"]


def excerpt(where: str, folder: Path) -> list[str]:
    """The numbered lines around a place `file:line:column`; nothing when the file cannot be read."""
    file, line = _parse(where)
    if not file or not line:
        return []
    path = folder / file
    try:
        if not path.is_file():  # a pipe would block
            return []
        with path.open(encoding="utf-8", errors="replace") as stream:
            return list(_numbered(iter(lambda: stream.readline(_MAX_LINE), ""), line))
    except (OSError, ValueError):
        return []


def _numbered(lines: Iterator[str], line: int) -> Iterator[str]:
    first = max(1, line - _AROUND)
    for number, text in enumerate(itertools.islice(lines, first - 1, line + _AROUND), start=first):
        mark = ">" if number == line else " "
        yield f"{mark} {number:>4} | {_shown(text)}".rstrip()


def _shown(text: str) -> str:
    """The line with its indentation, as one line that steers nothing."""
    bare = text.expandtabs(4).rstrip("\r\n")
    indent = len(bare) - len(bare.lstrip(" "))
    shown = " " * indent + plain(bare.lstrip(" ").encode(errors="replace")).replace("\n", " ")
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}..."


def _parse(where: str) -> tuple[str, int]:
    """The file and line of `file:line:column` or `file:line`; a file's name may hold colons."""
    parts = where.split(":")
    numbers: list[int] = []
    while len(parts) > 1 and len(numbers) < 2 and parts[-1].isascii() and parts[-1].isdigit():
        numbers.insert(0, int(parts.pop()[:9]))
    return ":".join(parts), numbers[0] if numbers else 0


def described(found: Naming) -> str:
    """The step in words."""
    step = one_line(found.step.display_name) or found.step.name
    return f"{step} ({one_line(str(found.step.task))}), job {one_line(found.job.display_name or found.job.name)}"
