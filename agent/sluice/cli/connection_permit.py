"""`sluice connection permit` and `revoke`: which pipelines may use a connection."""

from __future__ import annotations

import time

import click

from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import output_option, print_json, project_option
from sluice.errors import UsageError


@click.command("permit")
@click.argument("name")
@click.option("--pipeline", default="", help="The pipeline: its name, number, or file.")
@click.option("--all-pipelines", is_flag=True, help="Permit every pipeline of the project (open access).")
@project_option
@output_option
def permit(name: str, *, pipeline: str, all_pipelines: bool, project: str, output: str) -> None:
    """Permit a pipeline to use a service connection, in this and all later runs.

    \b
    Example: sluice connection permit web1 --pipeline release
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    _change(name, pipeline, project, output, everybody=all_pipelines, granted=True)


@click.command("revoke")
@click.argument("name")
@click.option("--pipeline", default="", help="The pipeline: its name, number, or file.")
@click.option("--all-pipelines", is_flag=True, help="End open access; permits of single pipelines stay.")
@project_option
@output_option
def revoke(name: str, *, pipeline: str, all_pipelines: bool, project: str, output: str) -> None:
    """Take a pipeline's permit away. Stages that have passed their checkpoint go on.

    \b
    Example: sluice connection revoke web1 --pipeline release
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    _change(name, pipeline, project, output, everybody=all_pipelines, granted=False)


def _change(name: str, pipeline: str, project: str, output: str, *, everybody: bool, granted: bool) -> None:
    if bool(pipeline) == everybody:
        raise UsageError("name one pipeline with --pipeline, or give --all-pipelines")
    from sluice.connections import lookup
    from sluice.storage import permissions, pipelines, projects

    with opened_store() as store, store.database.write() as transaction:
        home = projects.find(transaction, project)
        record = lookup.get(transaction, home.id, name)
        found = None if everybody else pipelines.find(transaction, home.id, pipeline)
        decide = permissions.grant if granted else permissions.revoke
        resource = permissions.Resource(home.id, record.id)
        pipeline_id = found.id if found else permissions.ALL_PIPELINES
        changed = decide(transaction, resource, pipeline_id, by=current_user(), at=time.time())
    who = f"pipeline '{found.name}'" if found else "all pipelines"
    if output == "json":
        print_json(
            {
                "id": record.id,
                "name": record.name,
                "pipeline": found.name if found else None,
                "permitted": granted,
                "changed": changed,
            }
        )
        return
    state = "may use" if granted else "may not use"
    click.echo(f"{who}: {state} '{record.name}'" + ("" if changed else " (as before)"))
