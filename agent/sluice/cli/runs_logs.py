"""How the logs of a run's steps are printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.output import plain
from sluice.errors import NotFoundError
from sluice.runs.identifiers import shown
from sluice.runs.logs import STAMP_LENGTH, RunLogs
from sluice.runs.pipelines import require_seen
from sluice.storage import records, requests

if TYPE_CHECKING:
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.engine import Transaction
    from sluice.storage.records import RecordRow
    from sluice.storage.runs import RunRow


def describe_logs(orchestrator: Orchestrator, run_id: int, step: str) -> list[dict[str, Any]]:
    """What the steps of a run have logged, as JSON values; only the step of that name or path, unless it is ''."""
    with orchestrator.database.read() as transaction:
        _, chosen = _read(transaction, orchestrator, run_id, step)
    logs = RunLogs(orchestrator.home.logs, run_id)
    return [
        {
            "step": shown(one.identifier),
            "name": one.name,
            "attempt": one.attempt,
            "lines": [_describe_line(number, line) for number, line in enumerate(logs.lines(one.id), start=1)],
        }
        for one in chosen
        if one.started_at is not None
    ]


class LogPrinter:
    """Prints what is new in the logs of a run's steps."""

    def __init__(self, run_id: int, step: str, *, times: bool) -> None:
        self._run_id = run_id
        self._step = step
        self._times = times
        self._seen: dict[str, int] = {}
        self._heading = ""
        self.run: RunRow
        """The run as it was when it was last looked at."""

    def print_new(self, orchestrator: Orchestrator) -> bool:
        """Print new lines; whether no more will come while nobody acts."""
        with orchestrator.database.read() as transaction:
            self.run, chosen = _read(transaction, orchestrator, self._run_id, self._step)
            waits = bool(requests.of_run(transaction, self._run_id, state="running"))
        logs = RunLogs(orchestrator.home.logs, self._run_id)
        for step in chosen:
            self._print_step(logs, step)
        return self.run.state == "completed" or waits

    def _print_step(self, logs: RunLogs, step: RecordRow) -> None:
        new, self._seen[step.id] = logs.read(step.id, self._seen.get(step.id, 0))
        while new:
            self._print(step, new)
            new, self._seen[step.id] = logs.read(step.id, self._seen[step.id])

    def _print(self, step: RecordRow, new: bytes) -> None:
        if self._heading != step.id:
            self._heading = step.id
            click.echo(f"=== {plain(shown(step.identifier))}: {plain(step.name)}")
        skip = 0 if self._times else STAMP_LENGTH
        for line in new[:-1].split(b"\n"):
            click.echo(plain(line[skip:].decode("utf-8", "replace")))


def _read(
    transaction: Transaction, orchestrator: Orchestrator, run_id: int, step: str
) -> tuple[RunRow, Sequence[RecordRow]]:
    """The run, and its steps (those that a name or a path means) in the order in which they started."""
    run = require_seen(transaction, orchestrator.store.guard, run_id)
    steps = records.of_run(transaction, run_id, every_attempt=True, kinds=("Task",))
    chosen = [one for one in steps if not step or step.casefold() in _names(one)]
    if step and not chosen:
        raise NotFoundError(f"run {run_id} has no step '{step}'", do=f"see 'sluice runs show {run_id}'")
    return run, sorted(chosen, key=lambda one: one.started_at or float("inf"))


def _names(step: RecordRow) -> set[str]:
    names = (step.ref_name, step.identifier, step.name, shown(step.identifier))
    return {name.casefold() for name in names}


def _describe_line(number: int, line: bytes) -> dict[str, Any]:
    return {
        "line": number,
        "time": line[: STAMP_LENGTH - 1].decode("ascii", "replace"),
        "text": plain(line[STAMP_LENGTH:].decode("utf-8", "replace")),
    }
