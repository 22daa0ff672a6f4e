"""`sluice secure-file permit` and `revoke`: which pipelines may use a secure file."""

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
    """Permit a pipeline to use a secure file, in this and all later runs.

    One that has never been run is named by the path of its file.

    With limits, what lies outside of them is refused: no run waits for it.

    \b
    Example: sluice secure-file permit certificate.pfx --pipeline release
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
    """Take a pipeline's permit away. A step that has it keeps it; the next one asks.

    \b
    Example: sluice secure-file revoke certificate.pfx --pipeline release
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=False)


def finder(name: str) -> Find:
    def find(transaction: Transaction, project_id: int, guard: Guard) -> tuple[Resource, str]:
        from sluice.library import secure_files
        from sluice.storage.secure_files import resource_of

        file = secure_files.get(transaction, project_id, name, guard)
        return resource_of(file), file.name

    return find


roles = roles_command("securefile", "secure file", finder, "sluice secure-file roles id.pem --set ada=User")
