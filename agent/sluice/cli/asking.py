"""Asks the person at the terminal what to do about a run that waits."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.authorization import texts
from sluice.authorization.checks.approval import Verdict
from sluice.authorization.texts import APPROVAL, CHECKS, STAGE, STEP_WAITS
from sluice.cli.session import check_decisions_of, decisions_of
from sluice.cli.view import words
from sluice.cli.view.choose import lively
from sluice.cli.view.prompt import Choice, Screen, ask
from sluice.errors import ConflictError, NotPermittedError
from sluice.runs import suites
from sluice.runs.decisions import waiting_for
from sluice.runs.driver import Waiting
from sluice.runs.orchestrator import Orchestrator
from sluice.storage import check_suites
from sluice.values import dataclass

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
    told: frozenset[int] = field(default=frozenset())

    def __call__(self, requests: Sequence[RequestRow]) -> Waiting:
        ids = frozenset(request.id for request in requests)
        if ids == self.left:
            return Waiting.STAY
        with self.orchestrator.database.read() as transaction:
            loaded = self.orchestrator.load(transaction, self.run_id)
            mark = check_suites.mark(transaction, self.run_id)
        if not (asked := self._for_me(requests)):
            self._tell(ids, [one for one in requests if one.resource_type == APPROVAL])
            return Waiting.STAY
        screen = Screen(stdin=sys.stdin, stdout=sys.stdout, colour=lively(sys.stdout, os.environ))
        try:
            with self.view.suspended():
                decision = ask(
                    asked,
                    run=loaded.run,
                    plan=loaded.plan,
                    screen=screen,
                    poll=lambda: self._settled(ids, mark),
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

    def _tell(self, ids: frozenset[int], others: Sequence[RequestRow]) -> None:
        """Say once who is asked, when it is not this person; a view that is redrawn shows it anyway."""
        if not others or ids == self.told or lively(sys.stdout, os.environ):
            return
        self.told = ids
        with self.view.suspended(), contextlib.suppress(OSError):
            for request in others:
                sys.stdout.write(f"{texts.PANEL_TITLE}: {words.resource(request)}: {words.needed(request)}\n")
            sys.stdout.flush()

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

    def _for_me(self, requests: Sequence[RequestRow]) -> list[RequestRow]:
        """What this person can be asked, of one kind: permits first, then approvals of theirs, then starts.

        Other checks, and what a step waits for, are answered elsewhere, or by time.
        """
        permits = [one for one in requests if one.resource_type not in STEP_WAITS | CHECKS | {STAGE}]
        if permits:
            return permits
        if approvals := [one for one in requests if one.resource_type == APPROVAL and self._may_approve(one)]:
            return approvals
        return [one for one in requests if one.resource_type == STAGE]

    def _may_approve(self, request: RequestRow) -> bool:
        with self.orchestrator.database.read() as transaction:
            run = self.orchestrator.load(transaction, self.run_id).run
            found = suites.of_check(transaction, request.resource_id)
            check = found.check(request.resource_id) if found else None
            return check is not None and check_decisions_of(self.orchestrator).may_decide(transaction, run, check)

    def _settled(self, ids: frozenset[int], mark: str) -> bool:
        if self.interrupted():
            raise KeyboardInterrupt
        with self.orchestrator.database.read() as transaction:
            if check_suites.mark(transaction, self.run_id) != mark:
                return True
        return frozenset(one.id for one in waiting_for(self.orchestrator.database, self.run_id)) != ids

    def _record(self, choice: Choice, names: Sequence[str]) -> None:
        if choice in {Choice.APPROVE, Choice.REJECT}:
            verdict = Verdict.APPROVE if choice is Choice.APPROVE else Verdict.REJECT
            with contextlib.suppress(ConflictError, NotPermittedError):  # decided elsewhere in between, or reassigned
                check_decisions_of(self.orchestrator).decide(self.run_id, verdict, names)
            return
        decisions = decisions_of(self.orchestrator)
        decide = {Choice.PERMIT: decisions.permit, Choice.START: decisions.start}.get(choice, decisions.deny)
        try:
            decide(self.run_id, names)
        except ConflictError:
            return  # somebody else decided between the answer and its record: the run goes on from what is stored


def _folder(run: RunRow) -> Path:
    return Path(run.options.get("repository") or ".")
