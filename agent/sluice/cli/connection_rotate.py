"""`sluice connection rotate`: new secrets that are tried before they replace the old ones, and the way back."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from sluice.cli.connection_entry import read_secrets, say
from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import output_option, plain, print_json, project_option
from sluice.cli.subcommands import DiscreetCommand
from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.connections.creation import Outcome

_SEALED_HELP = "A new secret: KEY=- asks (or reads standard input), KEY=@file, KEY=env:NAME. Never the secret itself."


@click.command("rotate", cls=DiscreetCommand)
@click.argument("name")
@click.option("--secret", "secrets", multiple=True, metavar="KEY=SOURCE", help=_SEALED_HELP)
@click.option("--undo", is_flag=True, help="Put back what the last rotation replaced.")
@click.option("--unverified", is_flag=True, help="Replace without a try, where the type has none or cannot be reached.")
@project_option
@output_option
def rotate(name: str, *, secrets: tuple[str, ...], undo: bool, unverified: bool, project: str, output: str) -> None:
    """Replace secrets of a service connection by new ones, once these work; the rest stays, its permits too.

    The new ones are tried against the far side first: when that fails, the old ones stay. For a week --undo puts the
    old ones back.

    \b
    Example: sluice connection rotate web1 --secret password=-
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.connections import renewal

    if undo and (secrets or unverified):
        raise UsageError("--undo takes no new secrets")
    entered = read_secrets(secrets)
    with opened_store() as store:
        if undo:
            outcome = renewal.undo(store, project, name, by=current_user(), clock=time.time)
            _report(outcome, "put back", output)
            return
        outcome, told = renewal.rotate(
            store, project, name, entered, by=current_user(), clock=time.time, tried=not unverified
        )
    if told:
        say(plain(told))
    _report(outcome, "replaced", output)


def _report(outcome: Outcome, done: str, output: str) -> None:
    from sluice.cli.connection_view import as_json

    if output == "json":
        print_json({**as_json(outcome.record), "changed": list(outcome.changed)})
        return
    click.echo(f"{done} in the service connection '{outcome.record.name}': {', '.join(outcome.changed)}")
