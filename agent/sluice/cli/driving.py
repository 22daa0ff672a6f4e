"""Drives a run from a command: signals, the view, and the question to the person when the run waits."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING

import click

from sluice.cli.breakpoints import Breaks
from sluice.cli.output import plain
from sluice.cli.reporting import silence
from sluice.cli.session import decisions_of, task_packages
from sluice.errors import ConflictError, ExitCode
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.cli.holding import TerminalBreakpoints
    from sluice.cli.view.guarded import GuardedView
    from sluice.runs.driver import Driver, Waiting
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow


PATIENCE_SECONDS = 600.0
"""How long a run that waits for no person is stayed with until the next evaluation of a check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a command drives a run."""

    non_interactive: bool = False
    verbose: bool = False
    output: str = "text"
    breaks: Breaks = field(default_factory=Breaks)

    @property
    def asks(self) -> bool:
        """Whether a person is at the terminal to be asked."""
        return not self.non_interactive and self.output == "text" and sys.stdin.isatty() and sys.stdout.isatty()


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """How a drive ended. With `ends` the person wants nothing more: they pressed Ctrl-C twice, or the process is to go."""

    status: ExitCode
    ends: bool


def drive(orchestrator: Orchestrator, run_id: int, manner: Manner) -> ExitCode:
    """Drive a run until it is over or, without a person to ask, only waits; answers the exit status."""
    return drive_on(orchestrator, run_id, manner).status


def drive_on(orchestrator: Orchestrator, run_id: int, manner: Manner) -> Driven:
    """As `drive`, for a command that goes on with another run."""
    from sluice.cli.view.choose import choose_view
    from sluice.cli.view.guarded import GuardedView
    from sluice.dispatch.local import LocalDispatcher
    from sluice.hooks.manager import installed
    from sluice.runs.announce import Announcer
    from sluice.runs.driver import Driver
    from sluice.runs.installation import find_task

    view = GuardedView(
        choose_view(sys.stdout, os.environ, verbose=manner.verbose, output=manner.output, asks=manner.asks)
    )
    decisions = decisions_of(orchestrator)
    held = _breakpoints(manner, view, abort=lambda: driver.interrupt())  # noqa: PLW0108  # made below
    driver = Driver(
        orchestrator,
        LocalDispatcher(find_task, packages=task_packages, breakpoints=held),
        Announcer(view, installed().observe, orchestrator.clock),
        _asker(orchestrator, run_id, manner, view, interrupted=lambda: driver.interrupted),
        cancel=decisions.cancel,
        patience=PATIENCE_SECONDS,
    )
    try:
        with _signals(driver, held):
            run = driver.drive(run_id)
    finally:
        view.close()
        if view.lost:
            silence(sys.stdout)
    if view.lost and run.state != "completed":
        with contextlib.suppress(OSError):
            sys.stderr.write(f"sluice: run {run_id} is left waiting (sluice resume {run_id})\n")
    ends = driver.interrupts > 1 or driver.terminated or view.lost
    return Driven(status=_report(orchestrator, run, manner), ends=ends)


def _breakpoints(manner: Manner, view: GuardedView, *, abort: Callable[[], None]) -> TerminalBreakpoints | None:
    if not manner.breaks:
        return None
    from sluice.cli.holding import TerminalBreakpoints

    return TerminalBreakpoints(manner.breaks, view, abort=abort)


def _asker(
    orchestrator: Orchestrator, run_id: int, manner: Manner, view: GuardedView, *, interrupted: Callable[[], bool]
) -> Callable[[Sequence[RequestRow]], Waiting]:
    """What to do when the run can only wait. Nobody would see that it does, when the output is lost: it is left."""
    from sluice.runs.driver import Waiting

    if manner.non_interactive or manner.output == "json":
        return lambda _: Waiting.LEAVE
    if not manner.asks:
        return lambda _: Waiting.LEAVE if view.lost else Waiting.STAY
    from sluice.cli.asking import Asking

    asking = Asking(orchestrator=orchestrator, run_id=run_id, view=view, interrupted=interrupted)
    return lambda requests: Waiting.LEAVE if view.lost else asking(requests)


@contextlib.contextmanager
def _signals(driver: Driver, held: TerminalBreakpoints | None) -> Iterator[None]:
    """Ctrl-C cancels the run, and once more ends it at once. In the shell of a held job it is the shell's.

    So do termination, and a terminal that goes away, while jobs run; a run that only waits survives these.
    """
    said = False

    def interrupt(number: int, _: object) -> None:
        nonlocal said
        if number != signal.SIGINT:
            driver.terminate()
            return
        if held is not None and held.lent:
            return
        driver.interrupt()
        if not said:
            said = True
            with contextlib.suppress(OSError, RuntimeError):  # gone, or in the middle of a write of its own
                sys.stderr.write(
                    "\nCanceling: steps with always() still run. Press Ctrl-C again to end them at once.\n"
                )

    numbers = [signal.SIGINT, signal.SIGTERM]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup ignores it
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _report(orchestrator: Orchestrator, run: RunRow, manner: Manner) -> ExitCode:
    from sluice.runs.decisions import waiting_for
    from sluice.runs.outcomes import exit_code

    if run.state == "completed":
        if manner.output == "json":
            _print_json(orchestrator, run, [])
        return exit_code(run.result)
    requests = waiting_for(orchestrator.database, run.id)
    if manner.output == "json":
        _print_json(orchestrator, run, requests)
    elif not requests:
        raise ConflictError(f"run {run.id} stopped before it was over", do=f"go on with it: sluice resume {run.id}")
    return ExitCode.WAITING


def _print_json(orchestrator: Orchestrator, run: RunRow, requests: Sequence[RequestRow]) -> None:
    from sluice.cli.output import print_json
    from sluice.cli.runs_view import describe_run
    from sluice.storage import records

    with orchestrator.database.read() as transaction:
        rows = records.of_run(transaction, run.id)
    print_json(describe_run(run, rows, requests, driven=False))


def print_waiting(run: RunRow, requests: Sequence[RequestRow]) -> None:
    """Say what a run waits for and what to type, for whoever is not asked."""
    from sluice.authorization.resources import ENDPOINT
    from sluice.authorization.texts import APPROVAL, CHECKS, DISABLED, STAGE, STEP_WAITS, TYPE_LABELS, VALIDATION
    from sluice.cli.view.words import permit_command

    for request in requests:
        place = f" ({request.where})" if request.where else ""
        label = TYPE_LABELS.get(request.resource_type, request.resource_type).lower()
        told = request.detail and request.resource_type not in STEP_WAITS
        detail = f": {plain(request.detail)}" if told else ""
        click.echo(f"Run {run.id} waits for {label} '{plain(request.resource_name)}'{place}{detail}")
    kinds = {request.resource_type for request in requests}
    if STAGE in kinds:
        click.echo(f"To start it:  sluice runs start {run.id}")
    if VALIDATION in kinds:
        click.echo(f"To resume it: sluice approve {run.id}   (or: sluice reject {run.id})")
    if APPROVAL in kinds:
        click.echo(f"To approve it: sluice approve {run.id}   (or: sluice reject {run.id})")
    disabled = [request for request in requests if request.resource_type == ENDPOINT and request.detail == DISABLED]
    for request in disabled:
        click.echo(f"To enable it: {permit_command(request)}")
    permits = kinds - STEP_WAITS - CHECKS - {STAGE}
    if any(request.resource_type in permits for request in requests if request not in disabled):
        click.echo(f"To permit it: sluice permit {run.id}")
    click.echo(f"Then go on:   sluice resume {run.id}")
