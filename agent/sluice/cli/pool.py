"""`sluice pool`: the agent pools that jobs name, which pipelines may use them, and which do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.connection_entry import confirm
from sluice.cli.installation import current_user, guard_of, opened_database
from sluice.cli.output import as_time, output_option, print_fields, print_json, print_table, project_option
from sluice.cli.permitting import (
    PERMIT_ALL,
    PERMIT_PIPELINE,
    REVOKE_ALL,
    change_permit,
    limit_options,
    limits_text,
)
from sluice.cli.roles import roles_command

if TYPE_CHECKING:
    from sluice.cli.permitting import Find
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource
    from sluice.storage.pools import Pool


@click.group(name="pool")
def command() -> None:
    """Agent pools: what jobs name with 'pool'. A pipeline needs a permit for one, unless all are allowed.

    Every project has the pools 'Default' and 'Azure Pipelines', open to all pipelines. A pool that nobody made is not
    asked for. Whatever pool a job names, it runs on this machine.

    \b
    Example: sluice pool create builders
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("create")
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@click.option("--allow-all-pipelines", is_flag=True, help="Grant access permission to all pipelines.")
@project_option
@output_option
def create_command(name: str, *, description: str, allow_all_pipelines: bool, project: str, output: str) -> None:
    """Make a pool. From then on a pipeline whose jobs name it needs a permit, unless all are allowed.

    \b
    Example: sluice pool create builders
    """  # noqa: D301  # as above
    from sluice.library.pools import PoolStore

    with opened_database() as database, database.write() as transaction:
        made = PoolStore(guard_of(database)).create(
            transaction,
            project,
            name,
            by=current_user(),
            description=description,
            all_pipelines=allow_all_pipelines,
        )
    if output == "json":
        print_json(_as_json(made))
        return
    click.echo(f"made the pool '{made.name}'")


@command.command("list")
@project_option
@output_option
def list_command(*, project: str, output: str) -> None:
    """List the pools of a project, and the pipelines that may use each.

    \b
    Example: sluice pool list --output json
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import pipelines_of
    from sluice.library import pools
    from sluice.storage import projects
    from sluice.storage.pools import resource_of

    with opened_database() as database:
        pools.prepare_standard(database, project)
        with database.read() as transaction:
            found = pools.listed(transaction, projects.find(transaction, project).id, guard_of(database))
        permitted = {one.id: pipelines_of(database, resource_of(one)) for one in found}
    if output == "json":
        print_json([{**_as_json(one), "pipelines": permitted[one.id]} for one in found])
        return
    rows = [
        {"id": one.number, "name": one.name, "pipelines": ", ".join(permitted[one.id]) or "-", "for": one.description}
        for one in found
    ]
    print_table(rows, ["id", "name", "pipelines", "for"], empty="there are no pools that you see")


@command.command("show")
@click.argument("name")
@project_option
@output_option
def show_command(name: str, *, project: str, output: str) -> None:
    """Show a pool, and who may use it.

    \b
    Example: sluice pool show builders
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import pipelines_of
    from sluice.library import pools
    from sluice.storage.pools import resource_of

    with opened_database() as database:
        pools.prepare_standard(database, project)
        with database.read() as transaction:
            found = _get(transaction, project, name, guard_of(database))
        pipelines = pipelines_of(database, resource_of(found))
    if output == "json":
        print_json({**_as_json(found), "pipelines": pipelines})
        return
    fields = {
        "name": found.name,
        "id": found.number,
        "description": found.description,
        "permitted": ", ".join(pipelines) or "no pipeline yet: the first run asks",
        "created": f"{as_time(found.created_at)} by {found.created_by}",
    }
    print_fields({key: value for key, value in fields.items() if value})


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
@output_option
def delete_command(name: str, *, yes: bool, project: str, output: str) -> None:
    """Delete a pool with its permits and checks: jobs that name it are not asked about any more.

    \b
    Example: sluice pool delete old --yes
    """  # noqa: D301  # as above
    from sluice.library import pools

    with opened_database() as database:
        pools.prepare_standard(database, project)
        with database.read() as transaction:
            found = _get(transaction, project, name, guard_of(database))
        if not yes and not confirm(f"Delete the pool '{found.name}'?", otherwise="add --yes"):
            raise click.Abort
        with database.write() as transaction:
            pools.PoolStore(guard_of(database)).delete(transaction, project, found.id, by=current_user())
    if output == "json":
        print_json({"id": found.id, "name": found.name, "deleted": True})
        return
    click.echo(f"deleted the pool '{found.name}'")


@command.command("permit")
@click.argument("name")
@PERMIT_PIPELINE
@PERMIT_ALL
@limit_options
@project_option
@output_option
def permit_command(
    name: str,
    *,
    pipeline: str,
    all_pipelines: bool,
    stages: tuple[str, ...],
    branches: tuple[str, ...],
    project: str,
    output: str,
) -> None:
    """Permit a pipeline to use a pool, in this and all later runs.

    With limits, what lies outside of them is refused: no run waits for it.

    \b
    Example: sluice pool permit builders --pipeline release
    """  # noqa: D301  # as above
    limits = limits_text(stages, branches)
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=True, limits=limits)


@command.command("revoke")
@click.argument("name")
@PERMIT_PIPELINE
@REVOKE_ALL
@project_option
@output_option
def revoke_command(name: str, *, pipeline: str, all_pipelines: bool, project: str, output: str) -> None:
    """Take a pipeline's permit away. A stage that has started goes on; the next one asks.

    \b
    Example: sluice pool revoke Default --all-pipelines
    """  # noqa: D301  # as above
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=False)


@command.command("usages")
@click.argument("name")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@project_option
@output_option
def usages_command(name: str, *, files: tuple[Path, ...], project: str, output: str) -> None:
    """Unite where pipelines name a pool, which are permitted to use it, and what has run when.

    Pipelines are read from FILES; without any, from the files of the pipelines that are known.

    \b
    Example: sluice pool usages builders azure-pipelines.yml
    """  # noqa: D301  # as above
    from sluice.cli.pool_usages import print_usages
    from sluice.library import pools

    with opened_database() as database:
        pools.prepare_standard(database, project)
        with database.read() as transaction:
            found = _get(transaction, project, name, guard_of(database))
        print_usages(database, found, files, output)


def _get(transaction: Transaction, project: str, name: str, guard: Guard) -> Pool:
    from sluice.library import pools
    from sluice.storage import projects

    return pools.get(transaction, projects.find(transaction, project).id, name, guard)


def finder(name: str) -> Find:
    """Finds a pool by its name or id."""

    def find(transaction: Transaction, project_id: int, guard: Guard) -> tuple[Resource, str]:
        from sluice.library import pools
        from sluice.storage.pools import resource_of

        found = pools.get(transaction, project_id, name, guard)
        return resource_of(found), found.name

    return find


command.add_command(roles_command("queue", "pool", finder, "sluice pool roles builders --set ada=User"))


def _as_json(pool: Pool) -> dict[str, Any]:
    return {
        "id": pool.id,
        "number": pool.number,
        "name": pool.name,
        "description": pool.description,
        "createdBy": pool.created_by,
        "createdOn": as_time(pool.created_at),
    }
