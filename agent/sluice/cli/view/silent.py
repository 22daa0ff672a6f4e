"""The view that shows nothing: with `--output json` the command prints the result itself."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.storage.records import RecordRow
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow


class SilentView:
    """An `Observer` without a voice."""

    def run_started(self, run: RunRow, plan: Plan, records: Sequence[RecordRow]) -> None:
        """Nothing to say."""

    def record_changed(self, record: RecordRow) -> None:
        """Nothing to say."""

    def log_written(self, step: RecordRow, text: bytes) -> None:
        """Nothing to say."""

    def waiting(self, requests: Sequence[RequestRow]) -> None:
        """Nothing to say."""

    def run_finished(self, run: RunRow, records: Sequence[RecordRow]) -> None:
        """Nothing to say."""

    @contextlib.contextmanager
    def suspended(self) -> Iterator[None]:
        """Nothing moves on the screen meanwhile."""
        yield

    def close(self) -> None:
        """Nothing to give back."""
