"""`sluice permit`: let a waiting run's pipeline use what it asks for."""

from __future__ import annotations

import click

from sluice.cli.output import plain
from sluice.cli.permitting import named, resource_options
from sluice.cli.session import decisions_of, opened_orchestrator


@click.command(epilog="Example: sluice permit 7 --connection build-host")
@click.argument("run_id", metavar="RUN", type=int)
@resource_options
def command(
    *, run_id: int, connections: tuple[str, ...], groups: tuple[str, ...], environments: tuple[str, ...]
) -> None:
    """Permit the pipeline of a waiting run to use what it waits for, in this and all future runs."""
    from sluice.cli.background import go_on, wake_others

    with opened_orchestrator() as orchestrator:
        granted = decisions_of(orchestrator).permit(run_id, named(connections, groups, environments))
        with orchestrator.database.read() as transaction:
            run = orchestrator.load(transaction, run_id).run
        for request in granted:
            click.echo(f"Permitted: pipeline '{plain(run.pipeline)}' may use '{plain(request.resource_name)}'.")
        click.echo(go_on(orchestrator, run_id))
        wake_others(orchestrator, run)
