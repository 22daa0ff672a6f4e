"""Keeps a view that cannot show any more from breaking what it watches: the run goes on unseen."""

from __future__ import annotations

import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.cli.view.choose import View
    from sluice.language.plan import Plan
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow


class GuardedView:
    """A view whose failures end the view only.

    Output that nobody reads any more (`run | head`) ends in silence, as with other tools; an output that cannot be
    written for another reason, such as a full disk, is told in one line on stderr, and a defect of the view's own with
    its traceback. Jobs, their records and the run's exit status stay what they are.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self.lost = False
        """Whether nobody sees what is shown."""

    def run_started(self, run: RunRow, plan: Plan, records: Sequence[RecordRow]) -> None:
        self._show(lambda: self._view.run_started(run, plan, records))

    def record_changed(self, record: RecordRow) -> None:
        self._show(lambda: self._view.record_changed(record))

    def log_written(self, step: RecordRow, text: bytes) -> None:
        self._show(lambda: self._view.log_written(step, text))

    def waiting(self, requests: Sequence[RequestRow]) -> None:
        self._show(lambda: self._view.waiting(requests))

    def run_finished(self, run: RunRow, records: Sequence[RecordRow]) -> None:
        self._show(lambda: self._view.run_finished(run, records))

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Leave the screen to a question for a while."""
        with contextlib.ExitStack() as stack:
            self._show(lambda: stack.enter_context(self._view.suspended()))
            try:
                yield
            finally:
                self._show(stack.close)

    def close(self) -> None:
        """Give the screen back, as far as there is one."""
        self._show(self._view.close)

    def _show(self, call: Callable[[], object]) -> None:
        if self.lost:
            return
        try:
            call()
        except Exception as error:  # noqa: BLE001  # whatever a view meets, the run is not broken by it
            self.lost = True
            self._tell(error)
            with contextlib.suppress(Exception):  # the first failure has been told
                self._view.close()

    def _tell(self, error: Exception) -> None:
        if isinstance(error, BrokenPipeError):
            return
        if isinstance(error, OSError):
            text = f"sluice: the output cannot be written: {error.strerror or error}; the run goes on unseen\n"
        else:
            text = "".join(traceback.format_exception(error)) + "sluice: the view is broken; the run goes on unseen\n"
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
