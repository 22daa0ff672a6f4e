"""`sluice check bypass`, `rerun` and `reassign`: what is done with the checks of a run beside approving them."""

from __future__ import annotations

import click

from sluice.cli.output import output_option, plain, print_json, run_argument
from sluice.cli.session import check_decisions_of, opened_orchestrator

_COMMENT = click.option("--comment", default="", help="Why, for the audit log.")


@click.command("bypass", epilog="Example: sluice check bypass 7 business-hours --comment 'hotfix'")
@run_argument
@click.argument("check", metavar="CHECK")
@_COMMENT
@output_option
def bypass(*, run_id: int, check: str, comment: str, output: str) -> None:
    """Let a running check count as passed; takes an Administrator of its resource.

    CHECK is its id as 'sluice runs show' tells it (or how that begins), its kind, or the name of what it is on.
    """
    from sluice.cli.background import brief, go_on
    from sluice.runs.checkpoints import named

    with opened_orchestrator() as orchestrator:
        decided = check_decisions_of(orchestrator).bypass(run_id, check, comment=comment)
        how = go_on(orchestrator, run_id)
        if output == "json":
            print_json({**brief(orchestrator, run_id), "bypassed": decided.check.id})
            return
        click.echo(f"Bypassed: {plain(named(decided.check))}.")
        click.echo(how)


@click.command("rerun", epilog="Example: sluice check rerun 7 rest-api --comment 'the ticket was changed'")
@run_argument
@click.argument("check", metavar="CHECK")
@_COMMENT
@output_option
def rerun(*, run_id: int, check: str, comment: str, output: str) -> None:
    """Ask a check that passed once more, as long as other checks of its stage are open.

    Takes an Administrator of its resource, and a check that asks a service just once (retry interval 0).
    """
    from sluice.cli.background import brief, go_on
    from sluice.runs.checkpoints import named

    with opened_orchestrator() as orchestrator:
        decided = check_decisions_of(orchestrator).rerun(run_id, check, comment=comment)
        how = go_on(orchestrator, run_id)
        if output == "json":
            print_json({**brief(orchestrator, run_id), "rerun": decided.check.id})
            return
        click.echo(f"Asked again: {plain(named(decided.check))}.")
        click.echo(how)


@click.command("reassign", epilog="Example: sluice check reassign 7 production alice bob")
@run_argument
@click.argument("check", metavar="CHECK")
@click.argument("approver")
@click.argument("to")
@_COMMENT
@output_option
def reassign(*, run_id: int, check: str, approver: str, to: str, comment: str, output: str) -> None:
    """Give the part of APPROVER in an approval to the user or group TO."""
    from sluice.cli.background import brief, go_on
    from sluice.runs.checkpoints import named

    with opened_orchestrator() as orchestrator:
        decided = check_decisions_of(orchestrator).reassign(run_id, check, approver, to, comment=comment)
        how = go_on(orchestrator, run_id)
        if output == "json":
            print_json({**brief(orchestrator, run_id), "reassigned": decided.check.id})
            return
        click.echo(f"{plain(named(decided.check))} asks {plain(to)} in place of {plain(approver)}.")
        click.echo(how)
