r"""`sluice group`: groups of users, such as `[default]\Contributors`, and who is in them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.installation import guard_of, opened_database
from sluice.cli.output import output_option, print_json, print_table, project_option

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.groups import Group

_ORGANIZATION = click.option("--organization", is_flag=True, help="Of the organization rather than a project.")


@click.group(name="group")
def command() -> None:
    """Groups: roles and approvals that are given to a group are its members'.

    \b
    Example: sluice group add Contributors ada
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("create")
@click.argument("name")
@click.option("--description", default="", help="What it is for.")
@_ORGANIZATION
@project_option
@output_option
def create_command(name: str, *, description: str, organization: bool, project: str, output: str) -> None:
    """Make a group.

    \b
    Example: sluice group create operators
    """  # noqa: D301  # as above
    from sluice.identity.administration import Administration
    from sluice.storage import projects

    with opened_database() as database, database.write() as transaction:
        owner = None if organization else projects.find(transaction, project)
        administration = Administration(guard_of(database))
        made = administration.create_group(transaction, owner, name, at=time.time(), description=description)
    if output == "json":
        print_json(_as_json(made, []))
        return
    click.echo(f"made the group {made.full_name}")


@command.command("list")
@project_option
@output_option
def list_command(*, project: str, output: str) -> None:
    """List the groups of a project and of the organization, and who is in them.

    \b
    Example: sluice group list
    """  # noqa: D301  # as above
    from sluice.storage import groups, projects

    with opened_database() as database, database.read() as transaction:
        guard_of(database).require_scope("vso.graph")
        owner = projects.find(transaction, project)
        found = (*groups.listed(transaction, owner), *groups.listed(transaction, None))
        members = {group.id: _members(transaction, group) for group in found}
    if output == "json":
        print_json([_as_json(group, members[group.id]) for group in found])
        return
    rows = [{"group": group.full_name, "members": ", ".join(members[group.id])} for group in found]
    print_table(rows, ["group", "members"], empty="no groups")


@command.command("add")
@click.argument("name")
@click.argument("user")
@project_option
@output_option
def add_command(name: str, user: str, *, project: str, output: str) -> None:
    """Make a user a member of a group.

    \b
    Example: sluice group add "Endpoint Creators" ada
    """  # noqa: D301  # as above
    from sluice.identity.administration import Administration
    from sluice.storage import projects

    with opened_database() as database, database.write() as transaction:
        home = projects.find(transaction, project)
        administration = Administration(guard_of(database))
        group, member, changed = administration.add_member(transaction, home, name, user, at=time.time())
    if output == "json":
        print_json({"group": group.full_name, "user": member.name, "member": True, "changed": changed})
        return
    click.echo(f"'{member.name}' is a member of {group.full_name}" + ("" if changed else " (as before)"))


@command.command("remove")
@click.argument("name")
@click.argument("user")
@project_option
@output_option
def remove_command(name: str, user: str, *, project: str, output: str) -> None:
    """Take a user out of a group.

    \b
    Example: sluice group remove Contributors ada
    """  # noqa: D301  # as above
    from sluice.identity.administration import Administration
    from sluice.storage import projects

    with opened_database() as database, database.write() as transaction:
        home = projects.find(transaction, project)
        group, member = Administration(guard_of(database)).remove_member(transaction, home, name, user, at=time.time())
    if output == "json":
        print_json({"group": group.full_name, "user": member.name, "member": False, "changed": True})
        return
    click.echo(f"'{member.name}' is no member of {group.full_name} any more")


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
@output_option
def delete_command(name: str, *, yes: bool, project: str, output: str) -> None:
    """Delete a group; the roles that it had are nobody's then. Those that every project has stay.

    \b
    Example: sluice group delete operators --yes
    """  # noqa: D301  # as above
    from sluice.cli.connection_entry import confirm
    from sluice.identity.administration import Administration
    from sluice.storage import groups, projects

    with opened_database() as database:
        with database.read() as transaction:
            home = projects.find(transaction, project)
            found = groups.get(transaction, home, name)
        if not yes and not confirm(f"Delete the group {found.full_name}?", otherwise="add --yes"):
            raise click.Abort
        with database.write() as transaction:
            Administration(guard_of(database)).delete_group(transaction, home, found.id, at=time.time())
    if output == "json":
        print_json({"id": found.id, "group": found.full_name, "deleted": True})
        return
    click.echo(f"deleted the group {found.full_name}")


def _members(transaction: Transaction, group: Group) -> list[str]:
    from sluice.identity.assignments import names_of
    from sluice.rights import OWNER_ID
    from sluice.storage.groups import has_owner

    members = {*group.members, *([OWNER_ID] if has_owner(group) else [])}
    return sorted(names_of(transaction, members))


def _as_json(group: Group, members: list[str]) -> dict[str, Any]:
    return {
        "id": group.id,
        "name": group.name,
        "fullName": group.full_name,
        "description": group.description,
        "builtIn": group.built_in,
        "members": members,
    }
