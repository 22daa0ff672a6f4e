"""`sluice runs`: list, show, follow, cancel, resume and retry runs."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, ClassVar

import click

from sluice.cli.breakpoints import Breaks, break_options
from sluice.cli.output import output_option, plain, print_json, print_table, project_option, run_argument
from sluice.cli.session import decisions_of, opened_orchestrator
from sluice.cli.subcommands import SubcommandGroup
from sluice.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.runs import RunRow

FOLLOW_SECONDS = 0.3

GONE_SECONDS = 2.0
"""How long nobody may drive a run that is followed: another process may be about to take it over."""


class _Runs(SubcommandGroup):
    elsewhere: ClassVar = {
        "artifacts": ("runs_artifacts:artifacts", "List the artifacts of a run, or download some of them."),
        "attachments": ("runs_artifacts:attachments", "List the files that steps have attached, or download some."),
    }


@click.group(cls=_Runs, epilog="Example: sluice runs list --output json")
def command() -> None:
    """List, show, follow, cancel, resume and retry runs."""


@command.command("list", epilog="Example: sluice runs list --limit 5")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="How many.")
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="Only runs with this tag (all of several).")
@project_option
@output_option
def list_runs(*, limit: int, tags: tuple[str, ...], project: str, output: str) -> None:
    """List the newest runs."""
    from sluice.authorization.roles import PIPELINE
    from sluice.cli.runs_view import describe, row_of
    from sluice.storage import projects, requests, runs

    shown = describe if output == "json" else row_of
    with opened_orchestrator() as orchestrator, orchestrator.database.read() as transaction:
        home = projects.find(transaction, project)
        seen = orchestrator.store.guard.seen(transaction, home.id, PIPELINE)
        rows = [
            shown(
                run,
                waits=bool(requests.of_run(transaction, run.id, state="running")),
                driven=_is_driven(orchestrator, run),
            )
            for run in runs.newest(transaction, home.id, limit=limit, tags=tags)
            if seen(str(run.pipeline_id))
        ]
    if output == "json":
        print_json(rows)
    else:
        columns = ["id", "run", "pipeline", "state", "started", "took", "by"]
        empty = "No runs have these tags." if tags else "No runs yet. Start one: sluice run"
        print_table(rows, columns, empty=empty)


def _is_driven(orchestrator: Orchestrator, run: RunRow) -> bool:
    from sluice.runs.lock import is_driven

    return run.state != "completed" and is_driven(orchestrator.home.root / "locks", run.id)


@command.command(epilog="Example: sluice runs show 7")
@run_argument
@click.option("--summary", is_flag=True, help="Show the summaries that its steps have uploaded instead.")
@output_option
def show(*, run_id: int, summary: bool, output: str) -> None:
    """Show a run: its timeline, what it has left behind, and what it waits for."""
    from sluice.cli import runs_left_behind
    from sluice.cli.driving import print_waiting
    from sluice.cli.runs_view import describe_run, state_in_words, tree_lines
    from sluice.runs.left_behind import left_behind
    from sluice.runs.pipelines import require_seen
    from sluice.storage import requests
    from sluice.storage.blobs import Blobs

    with opened_orchestrator() as orchestrator, orchestrator.database.read() as transaction:
        require_seen(transaction, orchestrator.store.guard, run_id)
        loaded = orchestrator.load(transaction, run_id)
        left = left_behind(transaction, run_id)
        blobs = Blobs(orchestrator.home.content)
        asked = requests.of_run(transaction, run_id, state="running")
        driven = _is_driven(orchestrator, loaded.run)
    records = loaded.situation.records
    if output == "json":
        described = describe_run(loaded.run, records, asked, driven=driven)
        print_json({**described, **runs_left_behind.describe(left, records)})
        return
    if summary:
        for line in runs_left_behind.summary_lines(left, records, blobs):
            click.echo(plain(line))
        return
    state = state_in_words(loaded.run, waits=bool(asked), driven=driven)
    click.echo(f"Run {loaded.run.name} of {plain(loaded.run.pipeline)} (run {run_id}): {state}")
    for line in tree_lines(records):
        click.echo(plain(line))
    for line in runs_left_behind.lines(left, records):
        click.echo(plain(line))
    if asked:
        print_waiting(loaded.run, asked)


@command.command(epilog="Example: sluice runs logs 7 --step Deploy.Web.Copy --follow")
@run_argument
@click.option("--step", help="Only this step: its name, or its path such as Stage.Job.Step.")
@click.option("--follow", is_flag=True, help="Wait for more until the run is over, or waits.")
@click.option("--times/--no-times", default=True, help="Show the time of each line.")
@output_option
def logs(*, run_id: int, step: str | None, follow: bool, times: bool, output: str) -> None:
    """Print the log of a run, step by step."""
    from sluice.cli.runs_logs import LogPrinter, describe_logs

    if follow and output == "json":
        raise UsageError("--follow prints text: a JSON value has an end", do="leave out --follow or --output json")
    with opened_orchestrator() as orchestrator:
        if output == "json":
            print_json(describe_logs(orchestrator, run_id, step or ""))
            return
        printer = LogPrinter(run_id, step or "", times=times)
        undriven = 0
        while not printer.print_new(orchestrator) and follow:
            sys.stdout.flush()
            undriven = 0 if _is_driven(orchestrator, printer.run) else undriven + 1
            if undriven * FOLLOW_SECONDS > GONE_SECONDS:
                click.echo(f"Nobody drives run {run_id} any more. Go on with it: sluice resume {run_id}", err=True)
                return
            time.sleep(FOLLOW_SECONDS)


@command.command(epilog="Example: sluice cancel 7")
@run_argument
@output_option
def cancel(*, run_id: int, output: str) -> None:
    """Cancel a run; what runs is asked to stop, steps with always() still run. Once more ends it at once."""
    from sluice.cli.background import brief, go_on
    from sluice.runs.decisions import END_AT_ONCE

    with opened_orchestrator() as orchestrator:
        canceled = decisions_of(orchestrator).cancel(run_id)
        how = "" if canceled.state == "completed" else go_on(orchestrator, run_id)
        if output == "json":
            print_json(brief(orchestrator, run_id))
            return
        twice = END_AT_ONCE in canceled.options
        click.echo(f"Run {run_id} is ended at once." if twice else f"Run {run_id} is canceled.")
        if how and not twice:
            click.echo(how)


@command.command(epilog="Example: sluice resume 7")
@run_argument
@click.option("--non-interactive", is_flag=True, help="Never ask: end with status 4 when the run waits for a person.")
@break_options
@click.option("--verbose", is_flag=True, help="Show the content of folded groups.")
@output_option
def resume(
    *,
    run_id: int,
    non_interactive: bool,
    break_on_failure: bool,
    break_before: tuple[str, ...],
    verbose: bool,
    output: str,
) -> int:
    """Go on with a run that waited, or whose process ended. What has finished is not run again."""
    from sluice.cli.driving import Manner, drive
    from sluice.runs.outcomes import in_words
    from sluice.runs.pipelines import require_queue, require_seen

    breaks = Breaks(on_failure=break_on_failure, before=break_before)
    manner = Manner(non_interactive=non_interactive, verbose=verbose, output=output, breaks=breaks)
    breaks.check_terminal(manner)
    with opened_orchestrator() as orchestrator:
        with orchestrator.database.read() as transaction:
            require_queue(
                transaction, orchestrator.store.guard, require_seen(transaction, orchestrator.store.guard, run_id)
            )
            loaded = orchestrator.load(transaction, run_id)
        run = loaded.run
        breaks.check_steps(loaded.plan)
        if run.state == "completed":
            raise ConflictError(
                f"run {run_id} is over ({in_words(run.result)})",
                do=f"run its failed parts again: sluice retry {run_id}",
            )
        return drive(orchestrator, run_id, manner)


@command.command(epilog="Example: sluice runs start 7 --stage Deploy")
@run_argument
@click.option("--stage", "stages", multiple=True, metavar="NAME", help="Only this stage (several: repeat).")
@output_option
def start(*, run_id: int, stages: tuple[str, ...], output: str) -> None:
    """Start stages of a run that wait for a person (`trigger: manual`)."""
    from sluice.cli.background import brief, go_on
    from sluice.cli.runs_view import describe_request

    with opened_orchestrator() as orchestrator:
        started = decisions_of(orchestrator).start(run_id, stages)
        how = go_on(orchestrator, run_id)
        if output == "json":
            print_json({**brief(orchestrator, run_id), "started": [describe_request(request) for request in started]})
            return
        for request in started:
            click.echo(f"Started: stage '{plain(request.resource_name)}' of run {run_id}.")
        click.echo(how)


@command.command(epilog="Example: sluice retry 7 --from Deploy.Web.Copy")
@run_argument
@click.option("--from", "from_step", default="", metavar="STAGE.JOB.STEP", help="Go on from this step of a job.")
@click.option("--non-interactive", is_flag=True, help="Never ask: end with status 4 when the run waits for a person.")
@break_options
@click.option("--verbose", is_flag=True, help="Show the content of folded groups.")
@output_option
def retry(
    *,
    run_id: int,
    from_step: str,
    non_interactive: bool,
    break_on_failure: bool,
    break_before: tuple[str, ...],
    verbose: bool,
    output: str,
) -> int:
    """Run the failed, canceled and skipped parts of a run again; what succeeded stays."""
    from sluice.cli.driving import Manner, drive
    from sluice.runs.pipelines import require_seen
    from sluice.runs.retrying import retry as make_ready

    breaks = Breaks(on_failure=break_on_failure, before=break_before)
    manner = Manner(non_interactive=non_interactive, verbose=verbose, output=output, breaks=breaks)
    breaks.check_terminal(manner)
    with opened_orchestrator() as orchestrator:
        with orchestrator.database.read() as transaction:
            require_seen(transaction, orchestrator.store.guard, run_id)
            breaks.check_steps(orchestrator.load(transaction, run_id).plan)
        make_ready(orchestrator, run_id, from_step=from_step)
        return drive(orchestrator, run_id, manner)
