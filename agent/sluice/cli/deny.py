"""`sluice deny`: refuse what a waiting run asks for."""

from __future__ import annotations

import click

from sluice.cli.output import output_option, plain, print_json, run_argument
from sluice.cli.permitting import named, resource_options
from sluice.cli.session import decisions_of, opened_orchestrator


@click.command(epilog="Example: sluice deny 7")
@run_argument
@resource_options
@output_option
def command(
    *,
    run_id: int,
    output: str,
    **resources: tuple[str, ...],
) -> None:
    """Refuse what a run waits for: the stage that asks is canceled. Later runs may ask again."""
    from sluice.cli.background import brief, go_on
    from sluice.cli.runs_view import describe_request, named_stage

    with opened_orchestrator() as orchestrator:
        names = named(**resources)
        denied = decisions_of(orchestrator).deny(run_id, names)
        how = go_on(orchestrator, run_id)
        if output == "json":
            refused = [describe_request(request) for request in denied]
            print_json({**brief(orchestrator, run_id), "denied": refused})
            return
        for request in denied:
            stage = named_stage(request.stage)
            whom = f"stage {plain(stage)} of run {run_id}" if stage else f"run {run_id}"
            click.echo(f"Denied '{plain(request.resource_name)}' to {whom}.")
        click.echo(how)
