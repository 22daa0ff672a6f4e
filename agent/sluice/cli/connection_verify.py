"""`sluice connection verify`: tries a connection, and pins who answers once a person vouches for it."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import click

from sluice.cli.connection_entry import confirm, say
from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import output_option, plain, print_json, project_option
from sluice.errors import ConflictError, TrustNeededError

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.store import ConnectionStore


@click.command("verify")
@click.argument("name")
@click.option("--trust", default="", metavar="FINGERPRINT", help="Vouch for a far side that shows this fingerprint.")
@project_option
@output_option
def verify(name: str, *, trust: str, project: str, output: str) -> None:
    """Try a service connection, and those that it goes through.

    When the far side is not known yet, its fingerprint is shown and you are asked; it is pinned once you agree.

    \b
    Example: sluice connection verify web1
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    with opened_store() as store:
        record = store.get(project, name)
        lines = verify_chain(store, project, record, trust=trust)
    if output == "json":
        print_json({"id": record.id, "name": record.name, "verified": True, "messages": lines})
        return
    for line in lines:
        click.echo(plain(line))


def verify_chain(store: ConnectionStore, project: str, record: ConnectionRecord, *, trust: str) -> list[str]:
    """Try the connections that one goes through, the farthest first, then itself; answers a line for each.

    One by one, so that a key which is shown by a jump host is pinned there and nowhere else.
    """
    from sluice.connections import lookup

    with store.database.read() as transaction:
        chain = lookup.chain(transaction, record, store.catalogue)
    return [f"{one.name}: {_verify_one(store, project, one, trust)}" for one in reversed(chain)]


def _verify_one(store: ConnectionStore, project: str, record: ConnectionRecord, trust: str) -> str:
    from sluice.connections.verification import verify as try_once

    by = current_user()
    try:
        return try_once(store, record, by=by)
    except TrustNeededError as needed:
        if not _trusted(needed, trust):
            raise _told_how(needed, record) from None
        return try_once(store, _pin(store, project, record, needed), by=by)


def _trusted(needed: TrustNeededError, trust: str) -> bool:
    if trust:
        if trust.strip() == needed.fingerprint:
            return True
        say(f"the far side shows {plain(needed.fingerprint)}, which is not the fingerprint that you gave")
        return False
    if not sys.stdin.isatty():
        return False
    say(plain(needed.what))
    return confirm(f"Is {plain(needed.fingerprint)} the right fingerprint?", otherwise="")


def _told_how(needed: TrustNeededError, record: ConnectionRecord) -> TrustNeededError:
    if "--trust" in needed.do:
        return needed
    pinning = f"sluice connection verify {shlex.quote(record.name)} --trust {shlex.quote(needed.fingerprint)}"
    return TrustNeededError(
        needed.what,
        field=needed.field,
        value=needed.value,
        fingerprint=needed.fingerprint,
        do=f"{needed.do or 'compare the fingerprint with what its owner says'}; to pin it: {pinning}",
    )


def _pin(store: ConnectionStore, project: str, record: ConnectionRecord, needed: TrustNeededError) -> ConnectionRecord:
    from sluice.connections.connection import Update

    if store.get(project, record.id).version != record.version:
        raise ConflictError(f"the service connection '{record.name}' was changed meanwhile", do="verify it again")
    change = Update(values={needed.field: needed.value})
    outcome = store.update(project, record.id, change, by=current_user())
    say(f"pinned {needed.field} of '{record.name}'")
    return outcome.record
