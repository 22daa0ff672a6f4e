"""Runs that go on without a terminal: a process of their own drives them, and ends when the run can only wait."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import click

from sluice.errors import ExitCode

if TYPE_CHECKING:
    from sluice.runs.orchestrator import Orchestrator


def go_on_in_background(orchestrator: Orchestrator, run_id: int, output: str) -> ExitCode:
    """Start a process that drives the run, unless all it can do is wait; then say for what."""
    from sluice.cli.driving import print_waiting
    from sluice.cli.output import print_json
    from sluice.runs.decisions import waiting_for

    advanced = orchestrator.advance(run_id)
    requests = waiting_for(orchestrator.database, run_id)
    waits = bool(requests) and not advanced.ready
    if not waits:
        start_driver(run_id)
    with orchestrator.database.read() as transaction:
        run = orchestrator.load(transaction, run_id).run
    if output == "json":
        print_json({"run": run_id, "state": "waiting" if waits else "inProgress"})
    elif waits:
        print_waiting(run, requests)
    else:
        click.echo(f"Run {run_id} goes on in the background. Follow it: sluice runs logs {run_id} --follow")
    return ExitCode.WAITING if waits else ExitCode.SUCCEEDED


def start_driver(run_id: int) -> None:
    """Start a detached process that drives the run."""
    subprocess.Popen(
        [sys.executable, "-m", "sluice", "resume", str(run_id), "--non-interactive"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
