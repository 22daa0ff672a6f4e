"""`sluice variable-group permit` and `revoke`: which pipelines may use a variable group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sluice.cli.output import output_option, project_option
from sluice.cli.permitting import PERMIT_ALL, PERMIT_PIPELINE, REVOKE_ALL, change_permit, limit_options, limits_text
from sluice.cli.roles import roles_command

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
@project_option
@output_option
def permit(
    name: str,
    *,
    pipeline: str,
    all_pipelines: bool,
    stages: tuple[str, ...],
    branches: tuple[str, ...],
    project: str,
    output: str,
) -> None:
    """Permit a pipeline to use a variable group, in this and all later runs.

    One that has never been run is named by the path of its file.

    With limits, what lies outside of them is refused: no run waits for it.

    \b
    Example: sluice variable-group permit settings --pipeline release
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    limits = limits_text(stages, branches)
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=True, limits=limits)


@click.command("revoke")
@click.argument("name")
@PERMIT_PIPELINE
@REVOKE_ALL
@project_option
@output_option
def revoke(name: str, *, pipeline: str, all_pipelines: bool, project: str, output: str) -> None:
    """Take a pipeline's permit away. A job that has started keeps the values that it has; the next one asks.

    \b
    Example: sluice variable-group revoke settings --pipeline release
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=False)


def finder(name: str) -> Find:
    def find(transaction: Transaction, project_id: int, guard: Guard) -> tuple[Resource, str]:
        from sluice.library import lookup
        from sluice.library.store import resource_of

        group = lookup.get(transaction, project_id, name, guard)
        return resource_of(group), group.name

    return find


roles = roles_command("variablegroup", "variable group", finder, "sluice variable-group roles settings --set ada=User")
