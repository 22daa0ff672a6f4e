"""`sluice runs`: list, show, follow, cancel, resume and retry runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from sluice.cli.output import output_option, plain, print_json, print_table, project_option
from sluice.cli.session import decisions_of, opened_orchestrator
from sluice.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from sluice.runs.logs import RunLogs
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.records import RecordRow

FOLLOW_SECONDS = 0.3

run_argument = click.argument("run_id", metavar="RUN", type=int)


@click.group()
def command() -> None:
    """List, show, follow, cancel, resume and retry runs."""


@command.command("list", epilog="Example: sluice runs list --limit 5")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@project_option
@output_option
def list_runs(*, limit: int, project: str, output: str) -> None:
    """List the newest runs."""
    from sluice.cli.runs_view import row_of
    from sluice.storage import projects, requests, runs

    with opened_orchestrator() as orchestrator, orchestrator.database.read() as transaction:
        found = runs.newest(transaction, projects.find(transaction, project).id, limit=limit)
        rows = [row_of(run, waits=bool(requests.of_run(transaction, run.id, state="running"))) for run in found]
    if output == "json":
        print_json(rows)
    else:
        columns = ["id", "run", "pipeline", "state", "started", "took", "by"]
        print_table(rows, columns, empty="No runs yet. Start one: sluice run")


@command.command(epilog="Example: sluice runs show 7")
@run_argument
@output_option
def show(*, run_id: int, output: str) -> None:
    """Show a run: its timeline, and what it waits for."""
    from sluice.cli.driving import print_waiting
    from sluice.cli.runs_view import describe_run, state_of, tree_lines
    from sluice.storage import requests

    with opened_orchestrator() as orchestrator, orchestrator.database.read() as transaction:
        loaded = orchestrator.load(transaction, run_id)
        asked = requests.of_run(transaction, run_id, state="running")
    records = loaded.situation.records
    if output == "json":
        print_json(describe_run(loaded.run, records, asked))
        return
    state = loaded.run.result or state_of(loaded.run, waits=bool(asked))
    click.echo(f"Run {loaded.run.name} of {plain(loaded.run.pipeline)} (run {run_id}): {state}")
    for line in tree_lines(records):
        click.echo(plain(line))
    if asked:
        print_waiting(loaded.run, asked)


@command.command(epilog="Example: sluice runs logs 7 --step Deploy.Web.Copy --follow")
@run_argument
@click.option("--step", help="Only this step: its name, or its path such as Stage.Job.Step.")
@click.option("--follow", is_flag=True, help="Wait for more until the run is over, or waits.")
@click.option("--times/--no-times", default=True, help="Show the time of each line.")
def logs(*, run_id: int, step: str | None, follow: bool, times: bool) -> None:
    """Print the log of a run, step by step."""
    printer = _LogPrinter(run_id, step or "", times=times)
    with opened_orchestrator() as orchestrator:
        while True:
            over = printer.print_new(orchestrator)
            sys.stdout.flush()
            if not follow or over:
                return
            time.sleep(FOLLOW_SECONDS)


@command.command(epilog="Example: sluice cancel 7")
@run_argument
def cancel(*, run_id: int) -> None:
    """Cancel a run; what runs is asked to stop, steps with always() still run."""
    from sluice.cli.background import go_on

    with opened_orchestrator() as orchestrator:
        canceled = decisions_of(orchestrator).cancel(run_id)
        click.echo(f"Run {run_id} is canceled.")
        if canceled.state != "completed":
            click.echo(go_on(orchestrator, run_id))


@command.command(epilog="Example: sluice resume 7")
@run_argument
@click.option("--non-interactive", is_flag=True, help="Never ask: end with status 4 when the run waits for a person.")
@click.option("--verbose", is_flag=True, help="Show the content of folded groups.")
@output_option
def resume(*, run_id: int, non_interactive: bool, verbose: bool, output: str) -> int:
    """Go on with a run that waited, or whose process ended. What has finished is not run again."""
    from sluice.cli.driving import Manner, drive

    with opened_orchestrator() as orchestrator:
        with orchestrator.database.read() as transaction:
            run = orchestrator.load(transaction, run_id).run
        if run.state == "completed":
            raise ConflictError(
                f"run {run_id} is over ({run.result})", do=f"run its failed parts again: sluice retry {run_id}"
            )
        return drive(orchestrator, run_id, Manner(non_interactive=non_interactive, verbose=verbose, output=output))


@command.command(epilog="Example: sluice runs start 7 --stage Deploy")
@run_argument
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Only this stage (several: repeat).")
def start(*, run_id: int, stages: tuple[str, ...]) -> None:
    """Start stages of a run that wait for a person (`trigger: manual`)."""
    from sluice.cli.background import go_on

    with opened_orchestrator() as orchestrator:
        for request in decisions_of(orchestrator).start(run_id, stages):
            click.echo(f"Started: stage '{plain(request.resource_name)}' of run {run_id}.")
        click.echo(go_on(orchestrator, run_id))


@command.command(epilog="Example: sluice retry 7 --from Deploy.Web.Copy")
@run_argument
@click.option("--from", "from_step", default="", metavar="STAGE.JOB.STEP", help="Go on from this step of a job.")
@click.option("--non-interactive", is_flag=True, help="Never ask: end with status 4 when the run waits for a person.")
@click.option("--verbose", is_flag=True, help="Show the content of folded groups.")
@output_option
def retry(*, run_id: int, from_step: str, non_interactive: bool, verbose: bool, output: str) -> int:
    """Run the failed, canceled and skipped parts of a run again; what succeeded stays."""
    from sluice.cli.driving import Manner, drive
    from sluice.runs.retrying import retry as make_ready

    with opened_orchestrator() as orchestrator:
        make_ready(orchestrator, run_id, from_step=from_step)
        return drive(orchestrator, run_id, Manner(non_interactive=non_interactive, verbose=verbose, output=output))


class _LogPrinter:
    """Prints what is new in the logs of a run's steps."""

    def __init__(self, run_id: int, step: str, *, times: bool) -> None:
        self._run_id = run_id
        self._step = step.casefold()
        self._times = times
        self._seen: dict[str, int] = {}
        self._heading = ""

    def print_new(self, orchestrator: Orchestrator) -> bool:
        """Print new lines; whether no more will come while nobody acts."""
        from sluice.runs.logs import RunLogs
        from sluice.storage import records, requests, runs

        with orchestrator.database.read() as transaction:
            run = runs.get(transaction, self._run_id)
            if run is None:
                raise UsageError(f"there is no run {self._run_id}", do="see 'sluice runs list'")
            steps = records.of_run(transaction, self._run_id, every_attempt=True, kinds=("Task",))
            waits = bool(requests.of_run(transaction, self._run_id, state="running"))
        chosen = [step for step in steps if self._wanted(step)]
        if not chosen and self._step:
            raise UsageError(
                f"run {self._run_id} has no step '{self._step}'", do=f"see 'sluice runs show {self._run_id}'"
            )
        run_logs = RunLogs(orchestrator.home.logs, self._run_id)
        for step in sorted(chosen, key=lambda step: step.started_at or float("inf")):
            self._print_step(run_logs, step)
        return run.state == "completed" or waits

    def _wanted(self, step: RecordRow) -> bool:
        from sluice.runs.identifiers import shown

        names = {step.ref_name.casefold(), step.identifier.casefold(), step.name.casefold()}
        names.add(shown(step.identifier).casefold())
        return not self._step or self._step in names

    def _print_step(self, run_logs: RunLogs, step: RecordRow) -> None:
        from sluice.runs.identifiers import shown
        from sluice.runs.logs import STAMP_LENGTH

        new, self._seen[step.id] = run_logs.read(step.id, self._seen.get(step.id, 0))
        if not new:
            return
        if self._heading != step.id:
            self._heading = step.id
            click.echo(f"=== {plain(shown(step.identifier))}: {plain(step.name)}")
        skip = 0 if self._times else STAMP_LENGTH
        for line in new.splitlines():
            click.echo(plain(line[skip:].decode("utf-8", "replace")))
