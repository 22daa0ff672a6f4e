"""`sluice cache`: what jobs have cached, and making room."""

from __future__ import annotations

from typing import Any

import click

from sluice.cli.output import as_time, output_option, print_json, print_table, project_option
from sluice.cli.runs_artifacts import size_of
from sluice.cli.session import opened_orchestrator

_pipeline_option = click.option("--pipeline", default="", metavar="NAME", help="Only those of this pipeline.")


@click.group(epilog="Example: sluice cache list")
def command() -> None:
    """Caches of jobs: list them, clear them, make room on the disk."""


@command.command("list", epilog="Example: sluice cache list --pipeline web")
@_pipeline_option
@project_option
@output_option
def list_caches(*, pipeline: str, project: str, output: str) -> None:
    """List caches, the last used one first."""
    from sluice.runs import pipelines
    from sluice.storage import caches, projects

    with opened_orchestrator() as orchestrator, orchestrator.database.read() as transaction:
        owner, guard = projects.find(transaction, project), orchestrator.store.guard
        chosen = pipelines.get(transaction, owner.id, pipeline, guard).id if pipeline else None
        names = {one.id: one.name for one in pipelines.listed(transaction, owner.id, guard)}
        rows: list[dict[str, Any]] = [
            {
                "pipeline": names[row.pipeline_id],
                "branch": row.scope,
                "key": "|".join(row.key.split("\n")[:-1]),
                "size": row.size,
                "run": row.run_id,
                "usedOn": as_time(row.used_at),
            }
            for row in caches.of_project(transaction, owner.id, chosen)
            if row.pipeline_id in names
        ]
    if output == "json":
        print_json(rows)
    else:
        shown = [{**row, "size": size_of(row["size"]), "used": row["usedOn"]} for row in rows]
        print_table(shown, ["pipeline", "branch", "key", "size", "run", "used"], empty="There are no caches.")


@command.command(epilog="Example: sluice cache clear --pipeline web")
@_pipeline_option
@project_option
@output_option
def clear(*, pipeline: str, project: str, output: str) -> None:
    """Remove caches; and of everything kept, what nothing refers to any more."""
    from sluice.rights import Right
    from sluice.runs import pipelines
    from sluice.runs.retention import sweep
    from sluice.storage import caches, projects

    with opened_orchestrator() as orchestrator:
        with orchestrator.database.write() as transaction:
            owner, guard = projects.find(transaction, project), orchestrator.store.guard
            chosen = pipelines.get(transaction, owner.id, pipeline, guard).id if pipeline else None
            found = caches.of_project(transaction, owner.id, chosen)
            of_found = {row.pipeline_id for row in found}
            for one in pipelines.listed(transaction, owner.id):
                if one.id in of_found:
                    guard.require(transaction, Right.EDIT, pipelines.resource_of(one), one.name)
            caches.remove(transaction, [row.id for row in found])
        swept = sweep(orchestrator.database, orchestrator.home.content, now=orchestrator.clock())
    if output == "json":
        print_json({"caches": len(found), "blobs": swept.blobs, "size": swept.size})
        return
    click.echo(f"Removed {len(found)} cache{'' if len(found) == 1 else 's'}, and {size_of(swept.size)} on the disk.")
    click.echo("What was used within the last day goes later: a run may be about to use it.")
