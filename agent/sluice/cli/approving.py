"""`sluice approve`, `sluice reject` and `sluice approvals`: what people are asked before a run goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sluice.cli.output import as_time, output_option, plain, print_json, print_table, project_option, run_argument
from sluice.cli.session import check_decisions_of, decisions_of, opened_orchestrator
from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.runs.check_decisions import Decided
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.requests import RequestRow

_COMMENT = click.option("--comment", default="", help="Why, for the approval (or the step's log) and the audit log.")
_CHECK = click.option(
    "--check", "checks", multiple=True, metavar="ID", help="Only this approval: its id, or the name of what it is on."
)
_STEP = click.option("--step", "steps", multiple=True, metavar="NAME", help="Only this manual validation.")


@click.command("approve", epilog="Example: sluice approve 7 --comment 'looks good'")
@run_argument
@_CHECK
@_STEP
@_COMMENT
@click.option("--defer-until", default="", metavar="TIME", help="Let it count only from then on: 2027-01-04T22:00Z.")
@output_option
def approve(
    *, run_id: int, checks: tuple[str, ...], steps: tuple[str, ...], comment: str, defer_until: str, output: str
) -> None:
    """Approve what a run waits for you to approve: approvals of resources, and manual validations."""
    _respond(run_id, checks, steps, comment, output, approved=True, defer_until=defer_until)


@click.command("reject", epilog="Example: sluice reject 7 --comment 'not on a Friday'")
@run_argument
@_CHECK
@_STEP
@_COMMENT
@output_option
def reject(*, run_id: int, checks: tuple[str, ...], steps: tuple[str, ...], comment: str, output: str) -> None:
    """Reject what a run waits for you to approve: its stage (or the step of the validation) fails."""
    _respond(run_id, checks, steps, comment, output, approved=False)


def _respond(
    run_id: int,
    checks: tuple[str, ...],
    steps: tuple[str, ...],
    comment: str,
    output: str,
    *,
    approved: bool,
    defer_until: str = "",
) -> None:
    from sluice.cli.background import brief, go_on
    from sluice.cli.runs_view import describe_request
    from sluice.runs.checkpoints import named

    with opened_orchestrator() as orchestrator:
        decided, answered = _decided(
            orchestrator, run_id, checks, steps, comment, approved=approved, defer_until=defer_until
        )
        how = go_on(orchestrator, run_id)
        done = "approved" if approved else "rejected"
        if output == "json":
            told = [describe_request(request) for request in answered]
            told += [_describe(one) for one in decided]
            print_json({**brief(orchestrator, run_id), done: told})
            return
        for request in answered:
            click.echo(f"{done.capitalize()}: '{plain(request.resource_name)}' of run {run_id}.")
        for one in decided:
            later = f", from {defer_until} on" if defer_until else ""
            click.echo(f"{done.capitalize()}: {plain(named(one.check))} of run {run_id}{later}.")
        click.echo(how)


def _decided(
    orchestrator: Orchestrator,
    run_id: int,
    checks: tuple[str, ...],
    steps: tuple[str, ...],
    comment: str,
    *,
    approved: bool,
    defer_until: str,
) -> tuple[list[Decided], list[RequestRow]]:
    """Decide what is named, or all that waits for the person: approvals where there are any, else validations."""
    from sluice.authorization.checks.approval import Verdict
    from sluice.authorization.texts import VALIDATION
    from sluice.cli.check_simulate import moment
    from sluice.runs.decisions import waiting_for
    from sluice.runs.validations import respond

    if steps and checks:
        raise UsageError("--check names an approval, --step a manual validation: give one of the two")
    validations = any(one.resource_type == VALIDATION for one in waiting_for(orchestrator.database, run_id))
    if steps or (validations and not checks):
        if defer_until:
            raise UsageError("a manual validation cannot be deferred", do="leave --defer-until out")
        return [], respond(decisions_of(orchestrator), run_id, approved=approved, comment=comment, names=steps)
    verdict = Verdict.APPROVE if approved else Verdict.REJECT
    until = moment(defer_until) if defer_until else None
    decisions = check_decisions_of(orchestrator)
    return decisions.decide(run_id, verdict, checks, comment=comment, deferred_to=until), []


def _describe(one: Decided) -> dict[str, object]:
    return {
        "id": one.check.id,
        "kind": one.check.kind,
        "resourceType": one.check.resource.kind,
        "name": one.check.resource.name,
        "stage": one.suite.stage,
        "state": str(one.check.state),
    }


@click.command("approvals", epilog="Example: sluice approvals --all")
@click.option("--all", "everybody", is_flag=True, help="Also those that wait for others.")
@project_option
@output_option
def approvals(*, everybody: bool, project: str, output: str) -> None:
    """List the approvals that wait for you."""
    from sluice.authorization.checks import approval
    from sluice.cli.runs_view import named_stage
    from sluice.runs.checkpoints import asked_as
    from sluice.storage import projects

    with opened_orchestrator() as orchestrator:
        with orchestrator.database.read() as transaction:
            project_id = projects.find(transaction, project).id
        found = check_decisions_of(orchestrator).awaited(project_id, mine=not everybody)
    rows = [
        {
            "run": one.run.id,
            "pipeline": one.run.pipeline,
            "stage": named_stage(one.suite.stage),
            "approval": asked_as(one.check),
            "waits for": ", ".join(approval.waits_for(one.check)),
            "until": as_time(one.check.expires_at),
            "id": one.check.id,
            "requested by": one.run.requested_by,
            "instructions": one.check.settings.get("instructions", ""),
        }
        for one in found
    ]
    if output == "json":
        print_json(rows)
        return
    columns = ["run", "pipeline", "stage", "approval", "waits for", "until", "requested by"]
    who = "anybody" if everybody else "you"
    print_table(rows, columns, empty=f"No approval waits for {who}.")
    for row in rows:
        if row["instructions"]:
            click.echo(f"\nInstructions for {plain(row['approval'])}, run {row['run']}:")
            click.echo("\n".join(f"  {plain(line)}" for line in str(row["instructions"]).splitlines()))
    if rows:
        click.echo("\nDecide with: sluice approve RUN, or sluice reject RUN")
