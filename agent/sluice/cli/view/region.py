"""The rows of the live region: what is going on now, in few lines. Pure: nothing here draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sluice.cli.view import words
from sluice.cli.view.board import Board, named
from sluice.cli.view.controls import one_line
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.records import RecordRow

_ACTIVE = ("inProgress", "waiting")


@dataclass(frozen=True, slots=True)
class Row:
    """One row: `mark` is a result, a state, or '' for none; `time` stands at the right."""

    depth: int
    mark: str
    label: str
    detail: str = ""
    time: str = ""


def rows(board: Board, now: float, limit: int, partial: Mapping[str, str] | None = None) -> list[Row]:
    """At most `limit` rows; `partial` holds the unfinished log line of a step, by its id.

    What runs or waits comes first; what is over or to come is summarised when there is no room.
    """
    partial = partial or {}
    stages = board.stages()
    shown = [stage for stage in stages if named(stage)]
    jobs = {stage.id: board.jobs(stage) for stage in stages}
    running = sum(job.state in _ACTIVE for stage in stages for job in jobs[stage.id])
    folded = len(shown) + running > limit
    made: list[Row] = []
    for group in _groups(stages, folded=folded):
        if len(group) > 1:
            made.append(_group_row(group))
            continue
        stage = group[0]
        if named(stage):
            made.append(_stage_row(stage, jobs[stage.id], now))
        depth = 1 if named(stage) else 0
        made += [_job_row(board, job, now, partial, depth) for job in _jobs_shown(stage, jobs[stage.id])]
    return _cut(made, limit)


def _groups(stages: Sequence[RecordRow], *, folded: bool) -> list[list[RecordRow]]:
    """Each stage alone; with `folded`, stages that are over (or not begun) and follow each other are one group."""
    groups: list[list[RecordRow]] = []
    for stage in stages:
        last = groups[-1][-1] if groups else None
        same = last is not None and stage.state not in _ACTIVE and (last.state, last.result) == _kind(stage)
        if folded and same:
            groups[-1].append(stage)
        else:
            groups.append([stage])
    return groups


def _kind(stage: RecordRow) -> tuple[str, str]:
    return stage.state, stage.result


def _group_row(group: Sequence[RecordRow]) -> Row:
    first = group[0]
    if first.completed:
        return Row(0, first.result, f"{len(group)} stages {words.result(first.result)}")
    return Row(0, first.state, f"{len(group)} stages to come")


def _stage_row(stage: RecordRow, jobs: Sequence[RecordRow], now: float) -> Row:
    title = words.name(stage)
    if stage.attempt > 1:
        title += f", attempt {stage.attempt}"
    if stage.completed:
        return Row(0, stage.result, title, one_line(stage.message), words.duration(stage))
    if stage.state == "pending":
        return Row(0, stage.state, title)
    if stage.state == "waiting":
        return Row(0, stage.state, title, "waits for permission", words.duration(stage, now))
    return Row(0, stage.state, title, _jobs_done(jobs), words.duration(stage, now))


def _jobs_done(jobs: Sequence[RecordRow]) -> str:
    if len(jobs) < 2:
        return ""
    over = sum(job.completed for job in jobs)
    failed = sum(job.result == "Failed" for job in jobs)
    return f"{over}/{len(jobs)} jobs{f', {failed} failed' if failed else ''}"


def _jobs_shown(stage: RecordRow, jobs: Sequence[RecordRow]) -> list[RecordRow]:
    """Jobs that are at work; of the implicit stage, whose row is not shown, every one while they are few."""
    if stage.completed and named(stage):
        return []
    if not named(stage) and len(jobs) <= 6:
        return list(jobs)
    return [job for job in jobs if job.state in _ACTIVE]


def _job_row(board: Board, job: RecordRow, now: float, partial: Mapping[str, str], depth: int) -> Row:
    title = words.name(job)
    if job.completed:
        return Row(depth, job.result, title, one_line(job.message), words.duration(job))
    if job.state == "waiting":
        return Row(depth, job.state, title, words.wait_of_job(job), words.duration(job, now))
    steps = board.steps(job)
    done = sum(step.completed for step in steps)
    at_work = next((step for step in steps if step.state in _ACTIVE), None)
    detail = f"{done}/{len(steps)}" if job.state == "inProgress" and steps else ""
    if at_work:
        detail = f"{done + 1}/{len(steps)} {_step_detail(at_work, partial)}"
    return Row(depth, job.state, title, detail, words.duration(job, now))


def _step_detail(step: RecordRow, partial: Mapping[str, str]) -> str:
    parts = [words.name(step)]
    if 0 < step.percent < 100:
        parts.append(f"{step.percent}%")
    if text := partial.get(step.id) or one_line(step.operation):
        parts.append(text)
    return " · ".join(parts)


def _cut(made: list[Row], limit: int) -> list[Row]:
    """Drop rows when there are still too many: jobs from the end, then whatever is over."""
    if len(made) <= limit:
        return made
    kept = made[: max(0, limit - 1)]
    left = made[len(kept) :]
    at_work = sum(row.mark in _ACTIVE for row in left)
    return [*kept, Row(0, "", f"and {len(left)} more", f"{at_work} at work" if at_work else "")]
