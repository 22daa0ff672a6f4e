"""What watches a run while this process drives it, such as the terminal view."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sluice.language.plan import Plan
from sluice.storage.records import RecordRow
from sluice.storage.requests import RequestRow
from sluice.storage.runs import RunRow


class Observer(Protocol):
    """Told after each change of a state was stored. Calls come from several threads, but never two at once.

    What a running step says of itself (issues, percent, operation) is told at once and stored with its next change.
    """

    def run_started(self, run: RunRow, plan: Plan, records: Sequence[RecordRow]) -> None:
        """This process begins to drive the run; `records` is the timeline so far (a resumed run has a past)."""

    def record_changed(self, record: RecordRow) -> None:
        """A stage, checkpoint, phase, job or step is new or different (state, result, operation, percent, issues)."""

    def log_written(self, step: RecordRow, text: bytes) -> None:
        """A step wrote text: masked, UTF-8, no times; may hold ANSI colours and `##[group]`-like tags.

        Lines end with a line feed; a last one without it goes on with the step's next text.
        """

    def waiting(self, requests: Sequence[RequestRow]) -> None:
        """The run waits for these permissions; called when the set changes, with none when the wait is over."""

    def run_finished(self, run: RunRow, records: Sequence[RecordRow]) -> None:
        """The run is over, or this process stops driving it (then `run.state` is not `completed`)."""
