"""`sluice approve` and `sluice reject`: resume a run that waits for a person, or refuse to."""

from __future__ import annotations

import click

from sluice.cli.output import output_option, plain, print_json, run_argument
from sluice.cli.session import decisions_of, opened_orchestrator

_COMMENT = click.option("--comment", default="", help="Why, for the log of the step and the audit log.")
_STEP = click.option("--step", "steps", multiple=True, metavar="NAME", help="Only this one (several: repeat).")


@click.command("approve", epilog="Example: sluice approve 7 --comment 'looks good'")
@run_argument
@_STEP
@_COMMENT
@output_option
def approve(*, run_id: int, steps: tuple[str, ...], comment: str, output: str) -> None:
    """Resume a run that waits for a manual validation."""
    _respond(run_id, steps, comment, output, approved=True)


@click.command("reject", epilog="Example: sluice reject 7 --comment 'not on a Friday'")
@run_argument
@_STEP
@_COMMENT
@output_option
def reject(*, run_id: int, steps: tuple[str, ...], comment: str, output: str) -> None:
    """Reject the manual validation that a run waits for: its step fails."""
    _respond(run_id, steps, comment, output, approved=False)


def _respond(run_id: int, steps: tuple[str, ...], comment: str, output: str, *, approved: bool) -> None:
    from sluice.cli.background import brief, go_on
    from sluice.cli.runs_view import describe_request
    from sluice.runs.validations import respond

    with opened_orchestrator() as orchestrator:
        decided = respond(decisions_of(orchestrator), run_id, approved=approved, comment=comment, names=steps)
        how = go_on(orchestrator, run_id)
        done = "approved" if approved else "rejected"
        if output == "json":
            print_json({**brief(orchestrator, run_id), done: [describe_request(request) for request in decided]})
            return
        for request in decided:
            click.echo(f"{done.capitalize()}: '{plain(request.resource_name)}' of run {run_id}.")
        click.echo(how)
