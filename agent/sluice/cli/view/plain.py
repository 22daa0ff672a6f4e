"""The view for pipes, files, CI and `NO_COLOR`: plain lines, nothing that steers a terminal."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from sluice.authorization import texts
from sluice.cli.view import summary, tags, words
from sluice.cli.view.board import Board, named
from sluice.cli.view.controls import one_line, plain
from sluice.cli.view.shown import ShownIssues

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

_STARTED: Final = "inProgress"
_NOT_ASKED: Final = texts.STEP_WAITS | {texts.CHECK}
"""What nobody is asked about at the terminal: it is announced there too."""


class PlainView:
    """An `Observer` that writes lines to a text stream and flushes after each call.

    With `asks` the command asks for permits and approvals itself, so that pause is not announced here. A stream that nobody reads
    any more raises `BrokenPipeError`.
    """

    def __init__(self, stream: TextIO, *, asks: bool = False) -> None:
        self._stream = stream
        self._asks = asks
        self._board: Board | None = None
        self._issues = ShownIssues()
        self._announced: set[tuple[str, str, str]] = set()
        self._unfinished = ""  # id of the step whose line has no line feed yet

    def run_started(self, run: RunRow, plan: Plan, records: Sequence[RecordRow]) -> None:
        self._board = Board(run, plan, records)
        goes_on = ", going on" if any(record.started_at is not None for record in records) else ""
        self._say(f"Run {run.id} of '{one_line(run.pipeline)}' ({one_line(run.name)}), {one_line(plan.file)}{goes_on}")

    def record_changed(self, record: RecordRow) -> None:
        if self._board is None:
            return
        before = self._board.put(record)
        if record.superseded:
            return
        if record.type == "Task":
            self._step_changed(record, before)
        elif record.type in {"Stage", "Job"} or (record.type == "Phase" and not self._board.has_instances(record)):
            self._part_changed(record, before)

    def log_written(self, step: RecordRow, text: bytes) -> None:
        shown = plain(text)
        if tags.MARK in shown:
            shown = self._readable(step, shown)
        if not shown:
            return
        if self._prefix(step):
            shown = self._prefixed(step, shown)
        goes_on = self._unfinished == step.id
        self._write(shown, new_line=not goes_on)
        self._unfinished = "" if shown.endswith("\n") else step.id

    def waiting(self, requests: Sequence[RequestRow]) -> None:
        if self._board is None:
            return
        self._board.requests = tuple(requests)
        keys = {_key(request) for request in requests}
        new = keys - self._announced
        ended = self._announced and not keys
        self._announced = keys
        if self._asks:
            new = {key for key in new if key[2].partition(":")[0] in _NOT_ASKED}
            ended = False
        if ended:
            self._say("The wait is over")
        if new:
            self._announce(new)

    def run_finished(self, run: RunRow, records: Sequence[RecordRow]) -> None:
        if self._board is None:
            return
        for record in records:
            self._board.put(record)
        self._say("", *(line.text for line in summary.lines(self._board, run)))

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Nothing moves on the screen meanwhile (nothing ever does here)."""
        yield

    def close(self) -> None:
        """Leave the screen as it is."""
        self._stream.flush()

    def _part_changed(self, record: RecordRow, before: RecordRow | None) -> None:
        """A stage or a job: the implicit stage has no line of its own."""
        board = self._board
        if board is None or (record.type == "Stage" and not named(record)):
            return
        kind = "stage" if record.type == "Stage" else "job"
        was = before.state if before else "pending"
        if record.state == _STARTED and was != _STARTED and record.type != "Phase":
            began_before = before is not None and before.started_at is not None
            self._say(f"{kind} {words.title(record)} {'goes on' if began_before else 'started'}")
        elif record.completed and was != "completed":
            self._say(f"{kind} {words.title(record)}: {_ending(record)}", *self._left_issues(record))

    def _step_changed(self, record: RecordRow, before: RecordRow | None) -> None:
        prefix = self._prefix(record)
        was = before.state if before else "pending"
        if record.state == _STARTED and was != _STARTED:
            self._say(f"{prefix}Starting: {words.name(record)}")
        elif record.completed and was != "completed":
            issues = [f"{prefix}{line}" for line in self._left_issues(record)]
            ending = f"Finished: {words.name(record)}: {_ending(record)}"
            self._say(*issues, f"{prefix}{ending if was != 'pending' else ending.removeprefix('Finished: ')}")

    def _left_issues(self, record: RecordRow) -> list[str]:
        """The issues that the log has not shown already."""
        left = self._issues.left(record)
        return [f"{'error' if words.is_error(issue) else 'warning'}: {words.issue_text(issue)}" for issue in left]

    def _announce(self, new: set[tuple[str, str, str]]) -> None:
        assert self._board is not None  # noqa: S101  # the caller has looked
        for wait in self._board.waits():
            if not any(_key(request) in new for request in wait.requests):
                continue
            self._say(wait.banner, texts.PANEL_TITLE)
            for request in wait.requests:
                place = f", {one_line(request.where)}" if request.where else ""
                self._say(
                    f"  {words.resource(request)}{place}: {words.needed(request)}",
                    f"    {words.permit_command(request)}",
                )

    def _readable(self, step: RecordRow, text: str) -> str:
        parts: list[str] = []
        name = words.name(step)
        for piece in tags.split(text):
            if isinstance(piece, str):
                parts.append(piece)
                continue
            self._issues.saw(step, piece)
            if piece.name != "endgroup" and not piece.heading_of(name):
                parts.append(f"{piece.readable()}\n")
        return "".join(parts)

    def _prefix(self, step: RecordRow) -> str:
        return f"[{words.job_path(step.identifier)}] " if self._board is not None and self._board.many_jobs else ""

    def _prefixed(self, step: RecordRow, text: str) -> str:
        prefix = self._prefix(step)
        body, end = (text[:-1], "\n") if text.endswith("\n") else (text, "")
        first = "" if self._unfinished == step.id else prefix
        return first + body.replace("\n", f"\n{prefix}") + end

    def _say(self, *lines: str) -> None:
        if lines:
            self._write("\n".join(lines) + "\n")
            self._unfinished = ""

    def _write(self, text: str, *, new_line: bool = True) -> None:
        if self._unfinished and new_line:
            text = "\n" + text
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding or "ascii"
            self._stream.write(text.encode(encoding, "replace").decode(encoding))
        self._stream.flush()


def _ending(record: RecordRow) -> str:
    took = words.duration(record)
    message = f": {one_line(record.message)}" if record.message else ""
    return f"{words.result(record.result)}{f' in {took}' if took else ''}{message}"


def _key(request: RequestRow) -> tuple[str, str, str]:
    return request.stage, request.job_id, f"{request.resource_type}:{request.resource_id}"
