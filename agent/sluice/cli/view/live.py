"""The view of a terminal: log lines scroll by, a region at the bottom shows what is going on."""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, TextIO

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.segment import Segment

from sluice.cli.view import drawing, summary, words
from sluice.cli.view.board import Board, named
from sluice.cli.view.controls import coloured, one_line, plain
from sluice.cli.view.folding import Folder, Shown
from sluice.cli.view.shown import ShownIssues
from sluice.cli.view.tags import Tag

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

_TICK: Final = 0.1
"""Seconds between two redraws, and so the longest that a log line waits to be shown."""

_ENOUGH: Final = 1 << 16
"""Characters that are shown at once, without waiting for the next redraw."""

_HELD_BACK: Final = 1 << 22
"""Characters that are kept while the screen belongs to a question; more are shown all the same."""


class LiveView:
    """An `Observer` for a terminal; `console` is for tests, `clock` gives seconds since the epoch.

    What comes is written by a thread that redraws the region, so a step's output never waits for the drawing. When
    the terminal goes away the next call raises what that thread met.
    """

    def __init__(
        self,
        stream: TextIO,
        *,
        verbose: bool = False,
        console: Console | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._console = console or drawing.Screen(file=stream, highlight=False, markup=False, emoji=False)
        self._pens = drawing.Pens.of(self._console)
        self._verbose = verbose
        self._clock = clock
        self._lock = threading.RLock()
        self._board: Board | None = None
        self._folders: dict[str, Folder] = {}
        self._issues = ShownIssues()
        self._pending: list[str] = []
        self._pending_size = 0
        self._live: Live | None = None
        self._over = threading.Event()
        self._broken: Exception | None = None
        self._clean = coloured if self._pens.colours else plain

    def run_started(self, run: RunRow, plan: Plan, records: Sequence[RecordRow]) -> None:
        with self._turn():
            self._board = Board(run, plan, records)
            goes_on = ", going on" if any(record.started_at is not None for record in records) else ""
            heading = f"Run {run.id} of '{one_line(run.pipeline)}' ({one_line(run.name)}){goes_on}"
            self._add(self._pens.heading(heading))
            if self._live is None:
                self._open()
                self._over = threading.Event()
                threading.Thread(target=self._redraw, args=(self._over,), name="live-view", daemon=True).start()
                atexit.register(self.close)

    def record_changed(self, record: RecordRow) -> None:
        with self._turn():
            if self._board is None:
                return
            before = self._board.put(record)
            if record.superseded:
                return
            was = before.state if before else "pending"
            if record.type == "Task":
                self._step_changed(record, was)
            elif record.completed and was != "completed":
                self._part_ended(record)

    def log_written(self, step: RecordRow, text: bytes) -> None:
        with self._turn():
            folder = self._folders.get(step.id)
            if folder is None:
                folder = self._folders[step.id] = Folder(verbose=self._verbose)
            for shown in folder.take(self._clean(text)):
                self._show(step, shown)
            self._flush_when_full()

    def waiting(self, requests: Sequence[RequestRow]) -> None:
        with self._turn():
            if self._board is not None:
                self._board.requests = tuple(requests)

    def run_finished(self, run: RunRow, records: Sequence[RecordRow]) -> None:
        with self._turn():
            if self._board is None:
                return
            for record in records:
                self._board.put(record)
            self._add("")
            for line in summary.lines(self._board, run):
                self._add(self._pens.summary(line))
        self.close()

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """The region goes and log lines are held back while a question has the screen."""
        with self._turn():
            was_open = self._live is not None
            if was_open:
                self._flush()
            self._shut()
        try:
            yield
        finally:
            with self._lock:
                if was_open and not self._over.is_set():
                    self._open()

    def close(self) -> None:
        """Take the region away, show what is left, give the cursor back."""
        with self._lock:
            self._over.set()
            atexit.unregister(self.close)
            for folder in self._folders.values():
                folder.close()
            try:
                self._flush()
            finally:
                self._shut()

    def region(self) -> drawing.Region:
        """The live region as it is now."""
        assert self._board is not None  # noqa: S101  # only drawn after the run has started
        partial = {id_: one_line(plain(f.unfinished[-200:].encode())) for id_, f in self._folders.items()}
        return drawing.Region(self._board, self._pens, self._clock(), partial)

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        """One call at a time, never while the region is being drawn; a broken terminal is told to the caller."""
        with self._lock:
            if self._broken is not None:
                raise self._broken
            yield
            if self._over.is_set():  # nobody draws any more
                self._flush()

    def _open(self) -> None:
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            get_renderable=self.region,
        )
        self._live.start(refresh=True)

    def _shut(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            live.stop()

    def _redraw(self, over: threading.Event) -> None:
        """The thread: lines first, then the region below them."""
        while not over.wait(_TICK):
            try:
                with self._lock:
                    if self._live is None or over.is_set():
                        continue
                    if not self._flush():
                        self._live.refresh()
            except Exception as error:  # noqa: BLE001  # raised again in the next call, where it has a caller
                self._broken = error
                return

    def _step_changed(self, step: RecordRow, was: str) -> None:
        if step.state == "inProgress" and was != "inProgress":
            self._add(self._pens.step_heading(self._prefix(step), words.name(step)))
        elif step.completed and was != "completed":
            self._step_ended(step)

    def _step_ended(self, step: RecordRow) -> None:
        failed = step.result in {"Failed", "Abandoned"}
        if folder := self._folders.pop(step.id, None):
            said = False
            for shown in folder.end(failed=failed):
                if failed and shown.kind == "lines" and not said:
                    said = True
                    self._line(step, self._pens.muted("what the groups above hold, since the step failed:"))
                self._show(step, shown)
        for issue in self._issues.left(step):
            kind = "error" if words.is_error(issue) else "warning"
            self._line(step, self._pens.tag(kind, words.issue_text(issue)))
        ending = self._pens.ending(step.result, words.name(step), words.duration(step), one_line(step.message))
        self._line(step, ending)

    def _part_ended(self, record: RecordRow) -> None:
        """A stage's or a job's end; that of a single job is the run's."""
        board = self._board
        if board is None or record.type not in {"Stage", "Job"} or not board.many_jobs:
            return
        if record.type == "Stage" and not named(record):
            return
        for issue in self._issues.left(record):
            self._add(self._pens.tag("error" if words.is_error(issue) else "warning", words.issue_text(issue)))
        kind = "stage" if record.type == "Stage" else "job"
        title = f"{kind} {words.title(record)}"
        self._add(self._pens.ending(record.result, title, words.duration(record), one_line(record.message)))

    def _show(self, step: RecordRow, shown: Shown) -> None:
        if shown.kind == "lines":
            self._lines(step, shown.text)
        elif shown.kind == "folded":
            lines = "1 line" if shown.count == 1 else f"{shown.count:,} lines"
            self._line(step, self._pens.muted(f"  {lines} folded: {shown.text}"))
        else:
            tag = Tag(shown.tag, shown.text)
            self._issues.saw(step, Tag(shown.tag, plain(shown.text.encode())))
            if not tag.heading_of(words.name(step)):
                self._line(step, self._pens.tag(shown.tag, shown.text))

    def _prefix(self, step: RecordRow) -> str:
        many = self._board is not None and self._board.many_jobs
        return words.job_path(step.identifier) if many else ""

    def _line(self, step: RecordRow, line: str) -> None:
        self._lines(step, f"{line}\n")

    def _lines(self, step: RecordRow, text: str) -> None:
        if prefix := self._prefix(step):
            prefix = self._pens.prefix(prefix)
            text = prefix + text[:-1].replace("\n", f"\n{prefix}") + "\n"
        self._pending.append(text)
        self._pending_size += len(text)

    def _add(self, line: str) -> None:
        self._pending.append(f"{line}\n")
        self._pending_size += len(line) + 1

    def _flush_when_full(self) -> None:
        if self._pending_size > (_ENOUGH if self._live is not None else _HELD_BACK):
            self._flush()

    def _flush(self) -> bool:
        """Write the lines that came; the region is drawn again below them."""
        if not self._pending:
            return False
        text, self._pending, self._pending_size = "".join(self._pending), [], 0
        self._console.print(_Raw(self._pens.encodable(text)), end="", crop=False)
        return True


class _Raw:
    """Text that is clean already and goes to the terminal as it is, without being laid out."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Segment(self._text)
