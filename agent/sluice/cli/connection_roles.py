"""`sluice connection roles`: who may see, use and administer a service connection."""

from __future__ import annotations

import click

from sluice.cli.output import output_option, project_option
from sluice.cli.roles import change_roles, role_options
from sluice.errors import UsageError


@click.command("roles")
@click.argument("name", default="")
@role_options
@click.option(
    "--organization", is_flag=True, help="Roles of the organization level: Administrator of all its projects."
)
@project_option
@output_option
def roles(
    name: str,
    *,
    hub: bool,
    given: tuple[str, ...],
    removed: tuple[str, ...],
    inherit: bool | None,
    organization: bool,
    project: str,
    output: str,
) -> None:
    """List or change the roles on a service connection: Reader, User, Administrator; Creator for a whole project.

    \b
    Example: sluice connection roles web1 --set ada=User
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.cli.connection_permit import finder
    from sluice.storage.permissions import ENDPOINT

    if bool(name) == hub:
        raise UsageError("name a service connection, or give --project-level for all of the project's")
    if hub and organization:
        raise UsageError("the organization level is that of one service connection: name it")
    change_roles(
        None if hub else finder(name),
        ENDPOINT,
        project,
        output,
        given=given,
        removed=removed,
        inherit=inherit,
        organization=organization,
    )
