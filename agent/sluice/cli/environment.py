"""`sluice environment`: what deployment jobs deploy to, the resources in it, who may use it, and the history."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.connection_entry import confirm
from sluice.cli.installation import current_user, guard_of, opened_database
from sluice.cli.output import output_option, print_fields, print_json, print_table, project_option
from sluice.cli.permitting import PERMIT_ALL, PERMIT_PIPELINE, REVOKE_ALL, change_permit, limit_options, limits_text
from sluice.cli.roles import roles_command

if TYPE_CHECKING:
    from sluice.cli.permitting import Find
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Transaction
    from sluice.storage.environments import Environment, EnvironmentResource
    from sluice.storage.permissions import Resource


@click.group(name="environment")
def command() -> None:
    """Environments: what deployment jobs deploy to. One that is missing is made by the first run that names it.

    \b
    Example: sluice environment create production
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("create")
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@click.option("--allow-all-pipelines", is_flag=True, help="Grant access permission to all pipelines.")
@project_option
@output_option
def create_command(name: str, *, description: str, allow_all_pipelines: bool, project: str, output: str) -> None:
    """Make an environment. A pipeline needs a permit to deploy to it, unless all are allowed.

    \b
    Example: sluice environment create production
    """  # noqa: D301  # as above
    from sluice.library.environments import EnvironmentStore

    with opened_database() as database, database.write() as transaction:
        store = EnvironmentStore(guard_of(database))
        made = store.create(
            transaction,
            project,
            name,
            by=current_user(),
            description=description,
            all_pipelines=allow_all_pipelines,
        )
    if output == "json":
        print_json(_as_json(made, ()))
        return
    click.echo(f"made the environment '{made.name}'")


@command.command("list")
@project_option
@output_option
def list_command(*, project: str, output: str) -> None:
    """List the environments of a project.

    \b
    Example: sluice environment list --output json
    """  # noqa: D301  # as above
    from sluice.library import environments
    from sluice.storage import projects
    from sluice.storage.environments import resources as resources_of

    with opened_database() as database, database.read() as transaction:
        found = environments.listed(transaction, projects.find(transaction, project).id, guard_of(database))
        resources = {one.id: resources_of(transaction, one) for one in found}
    if output == "json":
        print_json([_as_json(one, resources[one.id]) for one in found])
        return
    rows = [
        {"id": one.number, "name": one.name, "resources": len(resources[one.id]), "description": one.description}
        for one in found
    ]
    empty = "no environments yet: a deployment job makes the one that it names"
    print_table(rows, ["id", "name", "resources", "description"], empty=empty)


@command.command("show")
@click.argument("name")
@project_option
@output_option
def show_command(name: str, *, project: str, output: str) -> None:
    """Show an environment: its resources, and who may use it.

    \b
    Example: sluice environment show production
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import pipelines_of
    from sluice.cli.output import as_time
    from sluice.storage import environments

    with opened_database() as database:
        with database.read() as transaction:
            found = _get(transaction, project, name, guard_of(database))
            resources = environments.resources(transaction, found)
        pipelines = pipelines_of(database, environments.resource_of(found))
    if output == "json":
        print_json({**_as_json(found, resources), "pipelines": pipelines})
        return
    fields = {
        "name": found.name,
        "id": found.number,
        "description": found.description,
        "permitted": ", ".join(pipelines) or "no pipeline yet: the first run asks",
        "created": f"{as_time(found.created_at)} by {found.created_by}",
    }
    print_fields({key: value for key, value in fields.items() if value})
    click.echo()
    rows = [
        {"id": one.number, "resource": one.name, "type": one.type, "tags": ", ".join(one.tags)} for one in resources
    ]
    print_table(rows, ["id", "resource", "type", "tags"], empty="it has no resources")


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
def delete_command(name: str, *, yes: bool, project: str) -> None:
    """Delete an environment with its resources, permits and history. Its audit entries stay.

    \b
    Example: sluice environment delete old --yes
    """  # noqa: D301  # as above
    from sluice.library.environments import EnvironmentStore

    with opened_database() as database:
        with database.read() as transaction:
            found = _get(transaction, project, name, guard_of(database))
        if not yes and not confirm(f"Delete the environment '{found.name}' and its history?", otherwise="add --yes"):
            raise click.Abort
        with database.write() as transaction:
            EnvironmentStore(guard_of(database)).delete(transaction, project, found.id, by=current_user())
    click.echo(f"deleted the environment '{found.name}'")


@command.command("add-resource")
@click.argument("name")
@click.argument("resource")
@click.option(
    "--type", "kind", type=click.Choice(["VirtualMachine", "Kubernetes"], case_sensitive=False), required=True
)
@click.option("--tag", "tags", multiple=True, metavar="TAG", help="A tag to choose it by (several: repeat).")
@project_option
def add_resource_command(name: str, resource: str, *, kind: str, tags: tuple[str, ...], project: str) -> None:
    """Add a machine or cluster to an environment. Jobs that deploy to it learn its name; they run where they always do.

    \b
    Example: sluice environment add-resource production web-1 --type VirtualMachine --tag web
    """  # noqa: D301  # as above
    from sluice.library.environments import EnvironmentStore

    with opened_database() as database, database.write() as transaction:
        store = EnvironmentStore(guard_of(database))
        found, made = store.add_resource(transaction, project, name, resource, kind, by=current_user(), tags=tags)
    click.echo(f"added {made.type} '{made.name}' to the environment '{found.name}'")


@command.command("remove-resource")
@click.argument("name")
@click.argument("resource")
@project_option
def remove_resource_command(name: str, resource: str, *, project: str) -> None:
    """Remove a resource from an environment.

    \b
    Example: sluice environment remove-resource production web-1
    """  # noqa: D301  # as above
    from sluice.library.environments import EnvironmentStore

    with opened_database() as database, database.write() as transaction:
        store = EnvironmentStore(guard_of(database))
        found, gone = store.remove_resource(transaction, project, name, resource, by=current_user())
    click.echo(f"removed '{gone}' from the environment '{found.name}'")


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
    """Permit a pipeline to deploy to an environment, in this and all later runs.

    With limits, what lies outside of them is refused: no run waits for it.

    \b
    Example: sluice environment permit production --pipeline release
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
    Example: sluice environment revoke production --pipeline release
    """  # noqa: D301  # as above
    change_permit(finder(name), pipeline, project, output, everybody=all_pipelines, granted=False)


@command.command("history")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many.")
@project_option
@output_option
def history_command(name: str, *, limit: int, project: str, output: str) -> None:
    """List what was deployed to an environment, newest first.

    \b
    Example: sluice environment history production
    """  # noqa: D301  # as above
    from sluice.cli.output import as_time
    from sluice.storage import environments

    with opened_database() as database, database.read() as transaction:
        found = environments.history(transaction, _get(transaction, project, name, guard_of(database)), limit=limit)
    rows = [
        {**asdict(one), "started_at": as_time(one.started_at), "finished_at": as_time(one.finished_at)} for one in found
    ]
    if output == "json":
        print_json(rows)
        return
    shown = [{**row, "started": row["started_at"], "finished": row["finished_at"]} for row in rows]
    columns = ["started", "finished", "pipeline", "run", "job", "resource", "result"]
    print_table(shown, columns, empty="nothing was deployed to it yet")


def _get(transaction: Transaction, project: str, name: str, guard: Guard) -> Environment:
    from sluice.library import environments
    from sluice.storage import projects

    return environments.get(transaction, projects.find(transaction, project).id, name, guard)


def finder(name: str) -> Find:
    def find(transaction: Transaction, project_id: int, guard: Guard) -> tuple[Resource, str]:
        from sluice.library import environments
        from sluice.storage.environments import resource_of

        found = environments.get(transaction, project_id, name, guard)
        return resource_of(found), found.name

    return find


command.add_command(
    roles_command("environment", "environment", finder, "sluice environment roles production --set ada=User")
)


def _as_json(environment: Environment, resources: tuple[EnvironmentResource, ...]) -> dict[str, Any]:
    from sluice.cli.output import as_time

    return {
        "id": environment.id,
        "number": environment.number,
        "name": environment.name,
        "description": environment.description,
        "resources": [asdict(one) for one in resources],
        "createdBy": environment.created_by,
        "createdOn": as_time(environment.created_at),
    }
