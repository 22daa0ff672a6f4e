"""`sluice repository`: which pipelines may use a repository of the project (`type: git`, without a connection)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sluice.cli.installation import guard_of, opened_database
from sluice.cli.output import output_option, print_json, print_table, project_option
from sluice.cli.permitting import PERMIT_ALL, PERMIT_PIPELINE, REVOKE_ALL, change_permit, limit_options, limits_text
from sluice.cli.roles import roles_command

if TYPE_CHECKING:
    from sluice.cli.permitting import Find
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource


@click.group("repository")
def command() -> None:
    """Repositories of the project that pipelines name without a service connection (type: git).

    Nothing makes one known: any name is protected, and a pipeline needs a permit for it.

    \b
    Example: sluice repository permit tools --pipeline release
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("list")
@project_option
@output_option
def list_command(*, project: str, output: str) -> None:
    """List the repositories that have permits or checks, and the pipelines that may use each.

    \b
    Example: sluice repository list --output json
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import pipelines_of
    from sluice.storage import projects, repositories
    from sluice.storage.permissions import REPOSITORY

    with opened_database() as database:
        with database.read() as transaction:
            home = projects.find(transaction, project)
            seen = guard_of(database).seen(transaction, home.id, REPOSITORY)
            known = [one for one in repositories.listed(transaction, home) if seen(one.id)]
        found = [(repositories.name_of(one), pipelines_of(database, one)) for one in known]
    if output == "json":
        print_json([{"name": name, "pipelines": pipelines} for name, pipelines in found])
        return
    rows = [{"name": name, "pipelines": ", ".join(pipelines) or "-"} for name, pipelines in found]
    print_table(rows, ["name", "pipelines"], empty="no repository has permits or checks yet")


@command.command("permit")
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
    """Permit a pipeline to use a repository, in this and all later runs.

    One that has never been run is named by the path of its file.

    With limits, what lies outside of them is refused: no run waits for it.

    \b
    Example: sluice repository permit tools --pipeline release
    """  # noqa: D301  # as above
    limits = limits_text(stages, branches)
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=True, limits=limits)


@command.command("revoke")
@click.argument("name")
@PERMIT_PIPELINE
@REVOKE_ALL
@project_option
@output_option
def revoke(name: str, *, pipeline: str, all_pipelines: bool, project: str, output: str) -> None:
    """Take a pipeline's permit away. A stage that has started goes on; the next one asks.

    \b
    Example: sluice repository revoke tools --pipeline release
    """  # noqa: D301  # as above
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=False)


def finder(name: str) -> Find:
    def find(transaction: Transaction, project_id: int, guard: Guard) -> tuple[Resource, str]:
        from sluice.library import repositories
        from sluice.storage.repositories import name_of

        resource = repositories.get(transaction, project_id, name, guard)
        return resource, name_of(resource)

    return find


command.add_command(roles_command("repository", "repository", finder, "sluice repository roles tools --set ada=User"))
