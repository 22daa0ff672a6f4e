"""`sluice connection permit` and `revoke`: which pipelines may use a connection."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sluice.cli.output import output_option, project_option
from sluice.cli.permitting import PERMIT_ALL, PERMIT_PIPELINE, REVOKE_ALL, change_permit, limit_options, limits_text

if TYPE_CHECKING:
    from sluice.cli.permitting import Find
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource


@click.command("permit")
@click.argument("name")
@PERMIT_PIPELINE
@PERMIT_ALL
@limit_options
@click.option("--task", "tasks", multiple=True, metavar="NAME[@MAJOR]", help="Only for this task (several: repeat).")
@project_option
@output_option
def permit(
    name: str,
    *,
    pipeline: str,
    all_pipelines: bool,
    stages: tuple[str, ...],
    branches: tuple[str, ...],
    tasks: tuple[str, ...],
    project: str,
    output: str,
) -> None:
    """Permit a pipeline to use a service connection, in this and all later runs.

    One that has never been run is named by the path of its file. With limits, what lies outside of them is refused:
    no run waits for it. What is given takes the place of an earlier permit of that pipeline.

    \b
    Example: sluice connection permit web1 --pipeline release --stage Deploy --branch main
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    limits = limits_text(stages, branches, tasks)
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=True, limits=limits)


@click.command("revoke")
@click.argument("name")
@PERMIT_PIPELINE
@REVOKE_ALL
@project_option
@output_option
def revoke(name: str, *, pipeline: str, all_pipelines: bool, project: str, output: str) -> None:
    """Take a pipeline's permit away.

    A step that has the connection open goes on with it. The next step that opens it waits for a permit, also in a
    stage that has passed its checkpoint.

    \b
    Example: sluice connection revoke web1 --pipeline release
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=False)


def finder(name: str) -> Find:
    """Finds a service connection by its name or id."""

    def find(transaction: Transaction, project_id: int, guard: Guard) -> tuple[Resource, str]:
        from sluice.connections import lookup
        from sluice.storage.permissions import Resource

        record = lookup.get(transaction, project_id, name, guard)
        return Resource(project_id, record.id), record.name

    return find
