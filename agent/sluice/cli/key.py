"""`sluice key`: the master key that seals secrets, and the keys that sign identity tokens."""

from __future__ import annotations

import click

from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import as_time, output_option, print_json
from sluice.errors import UsageError


@click.group("key")
def command() -> None:
    """The master key that seals secrets, and the keys that sign identity tokens.

    \b
    Example: sluice key rotate
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("rotate")
@click.option("--lost", is_flag=True, help="The key file is lost: make a new one; what is sealed stays closed.")
@click.option("--signing", is_flag=True, help="Not the master key, but the key that identity tokens are signed with.")
@click.option("--at-once", is_flag=True, help="With --signing: sign with it from now on, and void what others signed.")
@output_option
def rotate(*, output: str, lost: bool, signing: bool, at_once: bool) -> None:
    """Seal every secret under a new master key, and forget the old one.

    It may be interrupted at any moment and repeated: every secret opens before, meanwhile and after.

    With --signing a new key signs identity tokens, two days from now: whoever checks them may keep the keys for a day.

    \b
    Example: sluice key rotate
    """  # noqa: D301  # as above
    if signing:
        _rotate_signing(output, lost=lost, at_once=at_once)
        return
    if at_once:
        raise UsageError("--at-once goes with --signing", do="a new master key seals at once anyway")
    with opened_store() as store:
        rotation = store.rotate_key(by=current_user(), lost=lost)
    if output == "json":
        print_json({"keyId": rotation.key_id, "count": rotation.count, "forgotten": list(rotation.forgotten)})
        return
    click.echo(f"{rotation.count} records are sealed under the new key {rotation.key_id}")


def _rotate_signing(output: str, *, lost: bool, at_once: bool) -> None:
    if lost:
        raise UsageError("--lost is about the master key", do="leave it out: sluice key rotate --signing --at-once")
    with opened_store() as store:
        store.guard.require_administrator("rotate the keys of identity tokens")
        made = store.federation.rotate(by=current_user(), at_once=at_once)
    if output == "json":
        print_json({"keyId": made.id, "activeFrom": as_time(made.active_from)})
        return
    click.echo(f"identity tokens are signed with the key {made.id} from {as_time(made.active_from)} on")
