"""`sluice key`: the master key that seals secrets."""

from __future__ import annotations

import click

from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import output_option, print_json


@click.group("key")
def command() -> None:
    """The master key that seals secrets.

    \b
    Example: sluice key rotate
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("rotate")
@click.option("--lost", is_flag=True, help="The key file is lost: make a new one; what is sealed stays closed.")
@output_option
def rotate(*, output: str, lost: bool) -> None:
    """Seal every secret under a new master key, and forget the old one.

    It may be interrupted at any moment and repeated: every secret opens before, meanwhile and after.

    \b
    Example: sluice key rotate
    """  # noqa: D301  # as above
    with opened_store() as store:
        rotation = store.rotate_key(by=current_user(), lost=lost)
    if output == "json":
        print_json({"keyId": rotation.key_id, "count": rotation.count, "forgotten": list(rotation.forgotten)})
        return
    click.echo(f"{rotation.count} records are sealed under the new key {rotation.key_id}")
