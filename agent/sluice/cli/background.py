"""Runs that go on without a terminal: a process of their own drives them, and ends when the run can only wait."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import click

from sluice.cli.installation import TOKEN_FILE_VARIABLE, TOKEN_VARIABLE
from sluice.errors import ExitCode

if TYPE_CHECKING:
    from sluice.runs.decide import Advanced
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.runs import RunRow


START_SECONDS = 10.0
"""How long is waited for a new process to take a run over; it goes on doing so when it takes longer."""


def go_on_in_background(orchestrator: Orchestrator, run_id: int, output: str) -> ExitCode:
    """Start a process that drives the run, unless all it can do is wait; then say for what."""
    from sluice.cli.driving import print_waiting
    from sluice.cli.output import print_json
    from sluice.runs.checking import settle
    from sluice.runs.decisions import waiting_for
    from sluice.runs.outcomes import exit_code, in_words

    advanced = settle(orchestrator, run_id)
    requests = waiting_for(orchestrator.database, run_id)
    waits = bool(requests) and not advanced.ready and not _only_queues(advanced)
    if not waits and advanced.result is None:
        start_driver(orchestrator, run_id)
    run = _stored(orchestrator, run_id)
    if output == "json":
        print_json(brief(orchestrator, run_id))
    elif run.state == "completed":
        click.echo(f"Run {run_id} is over: {in_words(run.result)}.")
    elif waits:
        print_waiting(run, requests)
    else:
        click.echo(f"Run {run_id} goes on in the background. Follow it: sluice runs logs {run_id} --follow")
    return ExitCode.WAITING if waits else exit_code(run.result)


def go_on(orchestrator: Orchestrator, run_id: int) -> str:
    """Let a run go on after a decision, and say how it does.

    What nobody drives is advanced here; only jobs that are to run need a process, which a detached or a canceled run
    is given.
    """
    from sluice.cli.output import plain
    from sluice.runs.checking import settle
    from sluice.runs.decisions import waiting_for
    from sluice.runs.lock import is_driven
    from sluice.runs.outcomes import in_words

    if is_driven(orchestrator.home.root / "locks", run_id):
        if _stored(orchestrator, run_id).cancel_requested_by:
            return f"Steps with always() still run; to end them at once: sluice cancel {run_id}"
        return f"Run {run_id} goes on."
    advanced = settle(orchestrator, run_id)
    run = _stored(orchestrator, run_id)
    if run.state == "completed":
        return f"Run {run_id} is over: {in_words(run.result)}."
    if run.cancel_requested_by or (run.options.get("detached") and (advanced.ready or _only_queues(advanced))):
        start_driver(orchestrator, run_id)
        how = "ends" if run.cancel_requested_by else "goes on"
        return f"Run {run_id} {how} in the background. Follow it: sluice runs logs {run_id} --follow"
    if not advanced.ready and not _only_queues(advanced) and (asked := waiting_for(orchestrator.database, run_id)):
        waits = (f"{_before(request.resource_type)}{plain(request.resource_name)}" for request in asked)
        return f"Run {run_id} still waits for {', '.join(waits)}."
    return f"Go on with the run: sluice resume {run_id}"


def _before(resource_type: str) -> str:
    """The word in front of a check's name; resources are called by their names alone."""
    from sluice.authorization.texts import CHECKS, TYPE_LABELS

    return f"{TYPE_LABELS[resource_type].lower()} " if resource_type in CHECKS else ""


def _only_queues(advanced: Advanced) -> bool:
    """Whether nothing but exclusive locks is missing: only a run that is driven gets them."""
    return advanced.queued and advanced.unattended


def wake_others(orchestrator: Orchestrator, run: RunRow) -> None:
    """A Permit is the pipeline's: its other runs that wait look again."""
    from sluice.runs.advancing import advance_all
    from sluice.runs.lock import is_driven
    from sluice.storage import runs

    locks = orchestrator.home.root / "locks"
    with orchestrator.database.read() as transaction:
        others = runs.unfinished_of_pipeline(transaction, run.pipeline_id)
    left = [other for other in others if other != run.id and not is_driven(locks, other)]
    for moved in advance_all(orchestrator, left):
        if moved.advanced and moved.run and _has_more(moved.run, moved.advanced):
            go_on(orchestrator, moved.run_id)


def _has_more(run: RunRow, advanced: Advanced) -> bool:
    """Whether a run that was advanced needs more than that: checks to be evaluated, or a process of its own."""
    if advanced.evaluate or run.cancel_requested_by:
        return True
    return bool(run.options.get("detached")) and (bool(advanced.ready) or _only_queues(advanced))


def _stored(orchestrator: Orchestrator, run_id: int) -> RunRow:
    with orchestrator.database.read() as transaction:
        return orchestrator.load(transaction, run_id).run


def brief(orchestrator: Orchestrator, run_id: int) -> dict[str, object]:
    """How a run stands, as JSON values."""
    from sluice.cli.runs_view import state_of
    from sluice.runs.decisions import waiting_for

    run = _stored(orchestrator, run_id)
    waits = bool(waiting_for(orchestrator.database, run_id))
    return {"run": run_id, "state": state_of(run, waits=waits), "result": run.result}


def start_driver(orchestrator: Orchestrator, run_id: int) -> None:
    """Start a detached process that drives the run; answers when it does, so that nobody takes the run for stopped."""
    from sluice.runs.lock import is_driven

    driver = subprocess.Popen(
        [sys.executable, "-m", "sluice", "resume", str(run_id), "--non-interactive"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={name: value for name, value in os.environ.items() if name not in _WHO} | {"NO_COLOR": "1"},
    )
    # Nobody waits for it here; this takes note of its end, so that a process that lives on keeps no trace of it.
    threading.Thread(target=driver.wait, name=f"driver of run {run_id}", daemon=True).start()
    end = time.monotonic() + START_SECONDS
    while driver.poll() is None and not is_driven(orchestrator.home.root / "locks", run_id):
        if time.monotonic() > end:
            return
        time.sleep(0.02)


_WHO = {TOKEN_VARIABLE, TOKEN_FILE_VARIABLE}
"""Who may drive a run is the installation's to say: whoever let it go on may have no other right on it."""
