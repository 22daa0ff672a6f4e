"""`sluice token`: access tokens, by which other people and programs act. A token is shown once, when it is made."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.connection_entry import say
from sluice.cli.installation import guard_of, opened_database
from sluice.cli.output import as_time, output_option, print_json, print_table

if TYPE_CHECKING:
    from sluice.storage.tokens import Token

_USER = click.option("--user", default="", metavar="NAME", help="Whose; your own when left out.")


@click.group(name="token")
def command() -> None:
    """Access tokens: set SLUICE_TOKEN (or give sluice --token-file FILE) to act as the token's owner.

    \b
    Example: sluice token create --user ada --scope vso.serviceendpoint --scope vso.build_execute
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("create")
@click.argument("name", default="token")
@_USER
@click.option(
    "--scope", "scopes", multiple=True, metavar="SCOPE", help="What it may do (several: repeat). See --scopes."
)
@click.option("--full-access", is_flag=True, help="It may do whatever its owner may (the scope app_token).")
@click.option("--days", type=float, default=90, show_default=True, help="After so many days it ends.")
@click.option("--scopes", "list_scopes", is_flag=True, help="List the scopes, and make nothing.")
@output_option
def create_command(
    name: str,
    *,
    user: str,
    scopes: tuple[str, ...],
    full_access: bool,
    days: float,
    list_scopes: bool,
    output: str,
) -> None:
    """Make a token called NAME and print it: this once, Sluice keeps only its hash.

    \b
    Example: sluice token create laptop --user ada --full-access --days 30
    """  # noqa: D301  # as above
    from sluice.authorization.scopes import FULL_ACCESS, SCOPES

    if list_scopes:
        rows = [{"scope": scope, "lets": text} for scope, text in SCOPES.items()]
        print_json(rows) if output == "json" else print_table(rows, ["scope", "lets"], empty="")
        return
    from sluice.identity.administration import Administration

    wanted = (*scopes, FULL_ACCESS) if full_access else scopes
    with opened_database() as database, database.write() as transaction:
        administration = Administration(guard_of(database))
        token, text = administration.create_token(transaction, user, name, wanted, days=days, at=time.time())
    if output == "json":
        print_json({**_as_json(token), "token": text.reveal()})
        return
    say(f"the token '{token.name}' ends on {as_time(token.expires_at)}; it is shown this once:")
    click.echo(text.reveal())


@command.command("list")
@_USER
@output_option
def list_command(*, user: str, output: str) -> None:
    """List tokens: of each its beginning, what it may do, when it ends and when it was used last.

    \b
    Example: sluice token list --user ada
    """  # noqa: D301  # as above
    from sluice.identity.administration import Administration

    with opened_database() as database, database.read() as transaction:
        owner, found = Administration(guard_of(database)).tokens_of(transaction, user)
    rows = [_as_json(token) for token in found]
    if output == "json":
        print_json(rows)
        return
    shown = [
        {
            **row,
            "token": f"{row['prefix']}...",
            "scopes": " ".join(row["scopes"]),
            "ends": row["expiresOn"],
            "used": row["usedOn"],
        }
        for row in rows
    ]
    columns = ["name", "token", "state", "scopes", "ends", "used"]
    print_table(shown, columns, empty=f"'{owner.name}' has no tokens: make one with 'sluice token create'")


@command.command("revoke")
@click.argument("name")
@_USER
@output_option
def revoke_command(name: str, *, user: str, output: str) -> None:
    """End a token, by its name, its beginning or its id.

    \b
    Example: sluice token revoke laptop --user ada
    """  # noqa: D301  # as above
    from sluice.identity.administration import Administration

    with opened_database() as database, database.write() as transaction:
        administration = Administration(guard_of(database))
        token, owner, changed = administration.revoke_token(transaction, user, name, at=time.time())
    if output == "json":
        print_json({"id": token.id, "name": token.name, "user": owner.name, "revoked": True, "changed": changed})
        return
    click.echo(f"the token '{token.name}' of '{owner.name}' is revoked" + ("" if changed else " (as before)"))


def _as_json(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "prefix": token.prefix,
        "state": token.state(time.time()),
        "scopes": list(token.scopes),
        "createdOn": as_time(token.created_at),
        "expiresOn": as_time(token.expires_at),
        "usedOn": as_time(token.used_at),
    }
