"""`sluice user`: the people who may do something here beside the owner of the state folder."""

from __future__ import annotations

import shlex
import time
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.installation import guard_of, opened_database
from sluice.cli.output import as_time, output_option, print_fields, print_json, print_table

if TYPE_CHECKING:
    from sluice.storage.people import User


@click.group(name="user")
def command() -> None:
    """Users: people who act here with an access token. The owner of the state folder is the local administrator.

    \b
    Example: sluice user create ada
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("create")
@click.argument("name")
@click.option("--display-name", default="", help="The person's full name.")
@output_option
def create_command(name: str, *, display_name: str, output: str) -> None:
    """Make a user; it may do nothing before it gets a role or a group.

    \b
    Example: sluice user create ada --display-name "Ada Lovelace"
    """  # noqa: D301  # as above
    from sluice.identity.administration import Administration

    with opened_database() as database, database.write() as transaction:
        administration = Administration(guard_of(database))
        made = administration.create_user(transaction, name, at=time.time(), display_name=display_name)
    if output == "json":
        print_json(_as_json(made))
        return
    click.echo(f"made the user '{made.name}'")
    click.echo(f"next: sluice token create --user {shlex.quote(made.name)} --full-access")


@command.command("list")
@output_option
def list_command(*, output: str) -> None:
    """List the users.

    \b
    Example: sluice user list
    """  # noqa: D301  # as above
    from sluice.storage import people

    with opened_database() as database, database.read() as transaction:
        guard_of(database).require_scope("vso.graph")
        found = people.listed(transaction)
    if output == "json":
        print_json([_as_json(one) for one in found])
        return
    rows = [{"name": one.name, "display_name": one.display_name, "state": _state(one)} for one in found]
    print_table(rows, ["name", "display_name", "state"], empty="no users")


@command.command("show")
@click.argument("name")
@output_option
def show_command(name: str, *, output: str) -> None:
    """Show a user and its groups.

    \b
    Example: sluice user show ada
    """  # noqa: D301  # as above
    from sluice.storage import groups, people

    with opened_database() as database, database.read() as transaction:
        guard_of(database).require_scope("vso.graph")
        found = people.get(transaction, name)
        member_of = [group.full_name for group in groups.of_user(transaction, found.id)]
    if output == "json":
        print_json({**_as_json(found), "groups": member_of})
        return
    fields = {
        "name": found.name,
        "id": found.id,
        "display name": found.display_name,
        "state": _state(found),
        "groups": ", ".join(member_of),
        "created": f"{as_time(found.created_at)} by {found.created_by}" if found.created_by else "",
    }
    print_fields({key: value for key, value in fields.items() if value})


@command.command("disable")
@click.argument("name")
@output_option
def disable_command(name: str, *, output: str) -> None:
    """Let a user do nothing any more; its tokens are refused from now on.

    \b
    Example: sluice user disable ada
    """  # noqa: D301  # as above
    _set_disabled(name, output, disabled=True)


@command.command("enable")
@click.argument("name")
@output_option
def enable_command(name: str, *, output: str) -> None:
    """Let a user that was disabled act again.

    \b
    Example: sluice user enable ada
    """  # noqa: D301  # as above
    _set_disabled(name, output, disabled=False)


@command.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@output_option
def delete_command(name: str, *, yes: bool, output: str) -> None:
    """Delete a user, its tokens and its memberships. What the audit log says of it stays.

    \b
    Example: sluice user delete ada --yes
    """  # noqa: D301  # as above
    from sluice.cli.connection_entry import confirm
    from sluice.identity.administration import Administration
    from sluice.storage import people

    with opened_database() as database:
        with database.read() as transaction:
            found = people.get(transaction, name)
        if not yes and not confirm(f"Delete the user '{found.name}'?", otherwise="add --yes"):
            raise click.Abort
        with database.write() as transaction:
            Administration(guard_of(database)).delete_user(transaction, found.id, at=time.time())
    if output == "json":
        print_json({**_as_json(found), "deleted": True})
        return
    click.echo(f"deleted the user '{found.name}'")


def _set_disabled(name: str, output: str, *, disabled: bool) -> None:
    from sluice.identity.administration import Administration

    with opened_database() as database, database.write() as transaction:
        administration = Administration(guard_of(database))
        after = administration.set_disabled(transaction, name, disabled=disabled, at=time.time())
    if output == "json":
        print_json(_as_json(after))
        return
    click.echo(f"the user '{after.name}' is {'disabled' if disabled else 'enabled'}")


def _state(user: User) -> str:
    return "local administrator" if user.local else "disabled" if user.disabled else ""


def _as_json(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "name": user.name,
        "displayName": user.display_name,
        "disabled": user.disabled,
        "localAdministrator": user.local,
        "createdBy": user.created_by,
        "createdOn": as_time(user.created_at),
    }
