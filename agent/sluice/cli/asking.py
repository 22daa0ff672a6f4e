"""Asks the person at the terminal what to do about a run that waits."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.authorization.texts import STAGE, STEP_WAITS
from sluice.cli.session import decisions_of
from sluice.cli.view.choose import lively
from sluice.cli.view.prompt import Choice, Screen, ask
from sluice.errors import ConflictError
from sluice.runs.decisions import waiting_for
from sluice.runs.driver import Waiting
from sluice.runs.orchestrator import Orchestrator

if TYPE_CHECKING:
    from sluice.cli.view.choose import View
    from sluice.runs.orchestrator import Loaded
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow


@dataclass(kw_only=True)
class Asking:
    """What a driver asks when a run only waits; a person who chose to wait is asked again when something changes."""

    orchestrator: Orchestrator
    run_id: int
    view: View
    interrupted: Callable[[], bool]
    left: frozenset[int] = field(default=frozenset())

    def __call__(self, requests: Sequence[RequestRow]) -> Waiting:
        ids = frozenset(request.id for request in requests)
        # what a step waits for is answered elsewhere, or by time
        requests = [request for request in requests if request.resource_type not in STEP_WAITS]
        if ids == self.left or not requests:
            return Waiting.STAY
        with self.orchestrator.database.read() as transaction:
            loaded = self.orchestrator.load(transaction, self.run_id)
        screen = Screen(stdin=sys.stdin, stdout=sys.stdout, colour=lively(sys.stdout, os.environ))
        # permits come first: what is asked together is of one kind
        permits = [request for request in requests if request.resource_type != STAGE]
        try:
            with self.view.suspended():
                decision = ask(
                    permits or requests,
                    run=loaded.run,
                    plan=loaded.plan,
                    screen=screen,
                    poll=lambda: self._settled(ids),
                    folder=_folder(loaded.run),
                    changes=lambda request: self._changes(loaded, request),
                )
        except KeyboardInterrupt:
            return Waiting.STAY  # the driver knows, and cancels the run or leaves it
        except OSError:
            return Waiting.LEAVE  # the terminal has gone
        if decision.choice is Choice.LEAVE:
            return Waiting.LEAVE
        if decision.choice is Choice.WAIT:
            self.left = ids
        elif decision.choice is not Choice.SETTLED:
            self._record(decision.choice, [request.resource_id for request in decision.requests])
        return Waiting.STAY

    def _changes(self, loaded: Loaded, request: RequestRow) -> tuple[str, Sequence[str]]:
        """What is different in the pipeline's files since it last received what it asks for, as git knows it."""
        from sluice.runs.source import changes
        from sluice.storage import runs, usage

        run = loaded.run
        with self.orchestrator.database.read() as transaction:
            last = usage.last_run(transaction, request.resource_id, pipeline_id=run.pipeline_id, before=run.id)
            before = runs.get(transaction, last) if last else None
        version = str(before.options.get("version", "")) if before else ""
        if not version:
            return "", ()
        files = [file for file in loaded.plan.files if "@" not in file]
        return f"changed since run {last} used it ({version[:8]})", changes(_folder(run), version, files)

    def _settled(self, ids: frozenset[int]) -> bool:
        if self.interrupted():
            raise KeyboardInterrupt
        return frozenset(one.id for one in waiting_for(self.orchestrator.database, self.run_id)) != ids

    def _record(self, choice: Choice, names: Sequence[str]) -> None:
        decisions = decisions_of(self.orchestrator)
        decide = {Choice.PERMIT: decisions.permit, Choice.START: decisions.start}.get(choice, decisions.deny)
        try:
            decide(self.run_id, names)
        except ConflictError:
            return  # somebody else decided between the answer and its record: the run goes on from what is stored


def _folder(run: RunRow) -> Path:
    return Path(run.options.get("repository") or ".")
