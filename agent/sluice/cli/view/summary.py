"""How a run ended, as lines for either view: results and times, every error and warning, and what to do next."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, Literal

from sluice.authorization import texts
from sluice.cli.view import words
from sluice.cli.view.board import Board, named
from sluice.cli.view.controls import one_line
from sluice.runs.outcomes import elapsed
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.records import RecordRow
    from sluice.storage.runs import RunRow

Tone = Literal["", "title", "good", "bad", "warning", "muted"]
MAX_JOBS: Final = 40
"""Jobs of one stage that are listed; of more, only those that did not simply succeed, then a count."""

MAX_LABEL: Final = 60
"""Characters of a stage's or a job's name in the table; a longer one is cut, so that the columns stay where they are."""

_TONES: Final[dict[str, Tone]] = {
    "Succeeded": "good",
    "SucceededWithIssues": "warning",
    "Failed": "bad",
    "Abandoned": "bad",
    "Canceled": "warning",
    "Skipped": "muted",
}


@dataclass(frozen=True, slots=True)
class Line:
    """A line and how it is meant."""

    text: str
    tone: Tone = ""


@dataclass(frozen=True, slots=True)
class _Row:
    label: str
    outcome: str
    time: str = ""
    message: str = ""
    tone: Tone = ""


def tone(result: str) -> Tone:
    """How a result is meant."""
    return _TONES.get(result, "")


def lines(board: Board, run: RunRow) -> list[Line]:
    """The whole summary of a run that is over, or that this process stops driving."""
    end = run.finished_at
    start = run.started_at if run.started_at is not None else run.created_at
    outcome = words.result(run.result) if run.state == "completed" else "waiting" if board.requests else "in progress"
    took = f" in {elapsed(end - start)}" if end is not None else ""
    heading = f"Run {run.id} of '{one_line(run.pipeline)}' ({one_line(run.name)}): {outcome}{took}"
    return [
        Line(heading, tone(run.result) or "title"),
        *_table(list(_rows(board))),
        *_issues(board),
        *_next(board, run),
    ]


def _rows(board: Board) -> Iterator[_Row]:
    for stage in board.stages():
        if named(stage):
            yield _row("stage", stage)
        indent = "  " if named(stage) else ""
        jobs = board.jobs(stage)
        shown = jobs if len(jobs) <= MAX_JOBS else [job for job in jobs if job.result != "Succeeded"][:MAX_JOBS]
        yield from (_row(f"{indent}job", job) for job in shown)
        if len(shown) < len(jobs):
            count = len(jobs) - len(shown)
            yield _Row(f"{indent}{f'and {count} more' if shown else count} jobs", _counts(_set_aside(jobs, shown)))


def _set_aside(jobs: Iterable[RecordRow], shown: Iterable[RecordRow]) -> list[RecordRow]:
    """The jobs that are not shown."""
    ids = {job.id for job in shown}
    return [job for job in jobs if job.id not in ids]


def _counts(jobs: Iterable[RecordRow]) -> str:
    counts: dict[str, int] = {}
    for job in jobs:
        outcome = words.outcome(job.state, job.result)
        counts[outcome] = counts.get(outcome, 0) + 1
    return ", ".join(f"{count} {outcome}" for outcome, count in counts.items())


def _row(kind: str, record: RecordRow) -> _Row:
    return _Row(
        f"{kind} {words.title(record)}",
        words.outcome(record.state, record.result),
        words.duration(record),
        one_line(record.message),
        tone(record.result),
    )


def _table(rows: list[_Row]) -> Iterator[Line]:
    label_width = min(max((len(row.label) for row in rows), default=0), MAX_LABEL)
    outcome_width = min(max((len(row.outcome) for row in rows), default=0), 24)
    for row in rows:
        label = row.label if len(row.label) <= label_width else f"{row.label[: label_width - 3]}..."
        text = f"  {label:<{label_width}}  {row.outcome:<{outcome_width}}  {row.time:>8}".rstrip()
        yield Line(text, row.tone)
        if row.message:
            yield Line(f"      {row.message}", "muted")


def _issues(board: Board) -> Iterator[Line]:
    problems = [line for stage in board.stages() for line in _issues_of(board, stage)]
    if problems:
        yield Line("Errors and warnings", "title")
        yield from problems


def _issues_of(board: Board, stage: RecordRow) -> Iterator[Line]:
    yield from issue_lines(stage, words.path(stage.identifier) if named(stage) else "")
    for job in board.jobs(stage):
        place = words.path(job.identifier)
        yield from issue_lines(job, place)
        for step in board.steps(job):
            yield from issue_lines(step, f"{place}, {words.name(step)}")


def issue_lines(record: RecordRow, place: str) -> Iterator[Line]:
    """The issues of one record; the records keep the first ones, and count on."""
    kept = {"error": 0, "warning": 0}
    for issue in record.issues:
        kind = "error" if words.is_error(issue) else "warning"
        kept[kind] += 1
        head = f"{place}: " if place else ""
        yield Line(f"  {kind:<7}  {head}{words.issue_text(issue)}", "bad" if kind == "error" else "warning")
    for kind, count in (("error", record.error_count), ("warning", record.warning_count)):
        if more := max(0, count - kept[kind]):
            yield Line(f"  {place}: and {more} more {kind}{'s' if more > 1 else ''}, see the log", "muted")


_VERBS = {texts.STAGE: "start it", texts.VALIDATION: "approve it", texts.APPROVAL: "approve it"}


def _next(board: Board, run: RunRow) -> Iterator[Line]:
    advice: dict[str, str] = {}
    if run.state != "completed":
        permits = {words.permit_command(request): request for request in board.requests}
        for command, request in permits.items():
            if request.resource_type not in {texts.DELAY, texts.CHECK}:
                verb = "enable it" if command.endswith(" --enable") else _VERBS.get(request.resource_type, "permit it")
                yield Line(f"{verb:<11}  {command}")
        advice["go on"] = f"sluice resume {run.id}"
    elif tone(run.result) == "bad" or run.result == "Canceled":
        advice["try again"] = f"sluice retry {run.id}"
    if _has_log(board):
        advice = {"see the log": f"sluice runs logs {run.id}", **advice}
    yield from (Line(f"{name:<11}  {command}") for name, command in advice.items())


def _has_log(board: Board) -> bool:
    jobs = (job for stage in board.stages() for job in board.jobs(stage))
    return any(step.started_at is not None for job in jobs for step in board.steps(job))
