"""`sluice check complete`: hand over the answer of a service that was asked to call back."""

from __future__ import annotations

import click

from sluice.cli.output import output_option, plain, print_json, run_argument
from sluice.cli.session import opened_orchestrator


@click.command(epilog="Example: sluice check complete 7 5f0c... --result succeeded --token @token.txt")
@run_argument
@click.argument("check_id", metavar="CHECK")
@click.option("--result", type=click.Choice(["succeeded", "failed"]), required=True, help="What the service decided.")
@click.option(
    "--token",
    "source",
    metavar="SOURCE",
    required=True,
    help="The token that the service got as AuthToken: - asks (or reads standard input), @FILE, env:NAME.",
)
@output_option
def command(*, run_id: int, check_id: str, result: str, source: str, output: str) -> None:
    """Hand over the answer of a service that a check asked, and that cannot call back itself.

    CHECK is the id that the service got as TaskInstanceId. Its token is good for this check, once, for 48 hours.
    """
    from sluice.cli.background import brief, go_on
    from sluice.cli.connection_entry import read_secret
    from sluice.runs.check_callbacks import complete

    token = read_secret("token", source)
    with opened_orchestrator() as orchestrator:
        suite = complete(
            orchestrator.database,
            orchestrator.clock,
            check_id,
            token,
            "succeeded" if result == "succeeded" else "failed",
            run_id=run_id,
        )
        check = suite.check(check_id)
        how = go_on(orchestrator, run_id)
        if output == "json":
            print_json({**brief(orchestrator, run_id), "check": {"id": check_id, "result": result}})
            return
        click.echo(f"Answered: {plain(check.label) if check else check_id} {result}.")
        click.echo(how)
