"""`sluice deny`: refuse what a waiting run asks for."""

from __future__ import annotations

import click

from sluice.cli.output import plain
from sluice.cli.permitting import named, resource_options
from sluice.cli.session import decisions_of, opened_orchestrator


@click.command(epilog="Example: sluice deny 7")
@click.argument("run_id", metavar="RUN", type=int)
@resource_options
def command(
    *, run_id: int, connections: tuple[str, ...], groups: tuple[str, ...], environments: tuple[str, ...]
) -> None:
    """Refuse what a run waits for: the stage that asks is canceled. Later runs may ask again."""
    from sluice.cli.background import go_on

    with opened_orchestrator() as orchestrator:
        denied = decisions_of(orchestrator).deny(run_id, named(connections, groups, environments))
        for request in denied:
            click.echo(f"Denied '{plain(request.resource_name)}' to stage {plain(request.stage)} of run {run_id}.")
        click.echo(go_on(orchestrator, run_id))
