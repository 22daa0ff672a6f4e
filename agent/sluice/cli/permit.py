"""`sluice permit`: let a waiting run's pipeline use what it asks for."""

from __future__ import annotations

import click

from sluice.cli.output import output_option, plain, print_json, run_argument
from sluice.cli.permitting import named, resource_options
from sluice.cli.session import decisions_of, opened_orchestrator


@click.command(epilog="Example: sluice permit 7 --connection build-host")
@run_argument
@resource_options
@output_option
def command(
    *,
    run_id: int,
    output: str,
    **resources: tuple[str, ...],
) -> None:
    """Permit the pipeline of a waiting run to use what it waits for, in this and all future runs."""
    from sluice.cli.background import brief, go_on, wake_others
    from sluice.cli.runs_view import describe_request

    with opened_orchestrator() as orchestrator:
        names = named(**resources)
        granted = decisions_of(orchestrator).permit(run_id, names)
        with orchestrator.database.read() as transaction:
            run = orchestrator.load(transaction, run_id).run
        how = go_on(orchestrator, run_id)
        if output == "json":
            permitted = [describe_request(request) for request in granted]
            print_json({**brief(orchestrator, run_id), "pipeline": run.pipeline, "permitted": permitted})
        else:
            for request in granted:
                click.echo(f"Permitted: pipeline '{plain(run.pipeline)}' may use '{plain(request.resource_name)}'.")
            click.echo(how)
        wake_others(orchestrator, run)
