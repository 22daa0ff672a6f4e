"""`sluice whoami`: who acts, and what limits that."""

from __future__ import annotations

import click

from sluice.cli.installation import actor_of, opened_database
from sluice.cli.output import output_option, print_fields, print_json


@click.command(epilog="Example: sluice whoami")
@output_option
def command(*, output: str) -> None:
    """Tell who you are here: by your account, or by the access token that is set."""
    with opened_database() as database:
        actor = actor_of(database)
    if output == "json":
        facts = {"id": actor.id, "name": actor.name, "groups": list(actor.groups), "administrator": actor.administrator}
        print_json({**facts, "scopes": None if actor.scopes is None else sorted(actor.scopes)})
        return
    fields = {
        "name": actor.name,
        "administrator": "yes: of the organization" if actor.administrator else "",
        "groups": ", ".join(actor.groups),
        "token scopes": "" if actor.scopes is None else " ".join(sorted(actor.scopes)),
    }
    print_fields({key: value for key, value in fields.items() if value})
