"""Roles of people on resources of one kind: what the `roles` commands share."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from sluice.cli.installation import guard_of, opened_database
from sluice.cli.output import output_option, print_json, print_table, project_option
from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.authorization.roles import Role
    from sluice.cli.permitting import Find
    from sluice.identity.assignments import Place, Row
    from sluice.storage.engine import Database, Transaction
    from sluice.storage.projects import Project

_SET = click.option(
    "--set", "given", multiple=True, metavar="NAME=ROLE", help="Give a user or group a role (several: repeat)."
)
_REMOVE = click.option("--remove", "removed", multiple=True, metavar="NAME", help="Take a role away (several: repeat).")
_INHERIT = click.option(
    "--inherit/--no-inherit", default=None, help="Whether the project's roles hold here too; on resets to these."
)
HUB = click.option("--project-level", "hub", is_flag=True, help="Roles for all of the project's, in place of a NAME.")


def role_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options of a `roles` command."""
    return HUB(_SET(_REMOVE(_INHERIT(command))))


def roles_command(kind: str, label: str, finder: Callable[[str], Find], example: str) -> click.Command:
    """The `roles` command of a kind of resource that lives in one project; `finder` finds one by the name given."""

    def roles(
        name: str,
        *,
        hub: bool,
        given: tuple[str, ...],
        removed: tuple[str, ...],
        inherit: bool | None,
        project: str,
        output: str,
    ) -> None:
        if bool(name) == hub:
            raise UsageError(f"name the {label}, or give --project-level for all of the project's")
        find = None if hub else finder(name)
        change_roles(find, kind, project, output, given=given, removed=removed, inherit=inherit)

    command = click.argument("name", default="")(role_options(project_option(output_option(roles))))
    text = f"List or change the roles on the {label} NAME: Reader, User, Administrator; Creator for a whole project."
    return click.command("roles", help=f"{text}\n\n\b\nExample: {example}")(command)


def change_roles(
    find: Find | None,
    kind: str,
    project: str,
    output: str,
    *,
    given: tuple[str, ...],
    removed: tuple[str, ...],
    inherit: bool | None,
    organization: bool = False,
) -> None:
    """Change roles of a resource, or (`find` is None) of all of a project's, and print those that hold then."""
    from sluice.identity import assignments
    from sluice.storage import projects

    if inherit is not None and (organization or find is None):
        raise UsageError("only a resource in a project inherits roles, from its project")
    wanted = [_parsed(text) for text in given]
    with opened_database() as database:
        guard = guard_of(database)
        with database.read() as transaction:
            home = projects.find(transaction, project)
            place = _place(transaction, database, find, kind, home, organization=organization)
        if given or removed or inherit is not None:
            with database.write() as transaction:
                now = time.time()
                if inherit is not None:
                    assignments.set_inheritance(transaction, guard, place, on=inherit, at=now)
                for name, role in wanted:
                    subject = assignments.find_subject(transaction, home, name)
                    assignments.set_role(transaction, guard, place, subject, role, at=now)
                for name in removed:
                    subject = assignments.find_subject(transaction, home, name)
                    assignments.remove_role(transaction, guard, place, subject, at=now)
        with database.read() as transaction:
            rows, inherits = assignments.listed(transaction, guard, place)
    _show(place, rows, inherits, output)


def _place(
    transaction: Transaction, database: Database, find: Find | None, kind: str, home: Project, *, organization: bool
) -> Place:
    from sluice.authorization.roles import Level
    from sluice.identity.assignments import Place
    from sluice.storage.permissions import Resource

    if find is None:
        return Place(Resource(home.id, "", kind), Level.HUB)
    resource, name = find(transaction, home.id, guard_of(database))
    return Place(resource, Level.ORGANIZATION if organization else Level.PROJECT, name)


def _parsed(text: str) -> tuple[str, Role]:
    from sluice.authorization.roles import Role

    name, equals, role = text.rpartition("=")
    for known in Role:
        if equals and name.strip() and known.casefold() == role.strip().casefold():
            return name.strip(), known
    raise UsageError(f"--set takes NAME=ROLE, and '{text}' is none", do=f"roles are {', '.join(Role)}")


def _show(place: Place, rows: tuple[Row, ...], inherits: bool, output: str) -> None:
    from sluice.authorization.roles import Level

    shown = [
        {"name": row.subject.name, "kind": row.subject.kind, "role": str(row.role), "access": row.access}
        for row in rows
    ]
    if output == "json":
        roles = [{**one, "id": row.subject.id} for one, row in zip(shown, rows, strict=True)]
        inherit = inherits if place.level is Level.PROJECT else None
        print_json({"resource": place.name, "level": str(place.level), "inherit": inherit, "roles": roles})
        return
    print_table(shown, ["name", "kind", "role", "access"], empty="nobody has a role here")
    if place.level is Level.PROJECT and not inherits:
        click.echo("inheritance is off: the project's roles do not hold here")
