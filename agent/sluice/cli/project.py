"""`sluice project`: the projects of this installation."""

from __future__ import annotations

import time

import click

from sluice.cli.installation import guard_of, opened_database
from sluice.cli.output import output_option, print_fields, print_json, print_table


@click.group(name="project")
def command() -> None:
    """Projects: where service connections, pipelines, groups and roles live.

    \b
    Example: sluice project create shop
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("create")
@click.argument("name")
@output_option
def create_command(name: str, *, output: str) -> None:
    """Make a project, with the groups that every project has.

    \b
    Example: sluice project create shop
    """  # noqa: D301  # as above
    from sluice.identity.administration import Administration

    with opened_database() as database, database.write() as transaction:
        made = Administration(guard_of(database)).create_project(transaction, name, at=time.time())
    if output == "json":
        print_json({"id": made.guid, "name": made.name})
        return
    click.echo(f"made the project '{made.name}'")


@command.command("list")
@output_option
def list_command(*, output: str) -> None:
    """List the projects.

    \b
    Example: sluice project list
    """  # noqa: D301  # as above
    from sluice.storage import projects

    with opened_database() as database, database.read() as transaction:
        guard_of(database).require_scope("vso.project")
        rows = [{"name": one.name, "id": one.guid} for one in projects.listed(transaction)]
    if output == "json":
        print_json(rows)
        return
    print_table(rows, ["name", "id"], empty="no projects")


@command.command("show")
@click.argument("name", default="default")
@output_option
def show_command(name: str, *, output: str) -> None:
    """Show a project: how much is in it that you see, and its groups.

    \b
    Example: sluice project show shop
    """  # noqa: D301  # as above
    from sluice.connections import lookup
    from sluice.runs import pipelines
    from sluice.storage import groups, projects

    with opened_database() as database, database.read() as transaction:
        guard = guard_of(database)
        guard.require_scope("vso.project")
        found = projects.find(transaction, name)
        facts: dict[str, object] = {
            "name": found.name,
            "id": found.guid,
            "connections": len(lookup.listed(transaction, found.id, guard)),
            "pipelines": len(pipelines.listed(transaction, found.id, guard)),
            "groups": [group.full_name for group in groups.listed(transaction, found)],
        }
    if output == "json":
        print_json(facts)
        return
    print_fields({**facts, "groups": ", ".join(f"{one}" for one in facts["groups"])})  # type: ignore[attr-defined]


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@output_option
def delete_command(name: str, *, yes: bool, output: str) -> None:
    """Delete a project that is empty. What the audit log says of it stays.

    \b
    Example: sluice project delete old --yes
    """  # noqa: D301  # as above
    from sluice.cli.connection_entry import confirm
    from sluice.identity.administration import Administration
    from sluice.storage import projects

    with opened_database() as database:
        with database.read() as transaction:
            found = projects.find(transaction, name)
        if not yes and not confirm(f"Delete the project '{found.name}'?", otherwise="add --yes"):
            raise click.Abort
        with database.write() as transaction:
            Administration(guard_of(database)).delete_project(transaction, found.name, at=time.time())
    if output == "json":
        print_json({"id": found.guid, "name": found.name, "deleted": True})
        return
    click.echo(f"deleted the project '{found.name}'")
