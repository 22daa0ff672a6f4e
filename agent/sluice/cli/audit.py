"""`sluice audit`: the log of every decision and change, and the check that nobody edited it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import click

from sluice.cli.installation import guard_of, opened_database, opened_store
from sluice.cli.output import output_option, plain, print_json
from sluice.cli.subcommands import SubcommandGroup
from sluice.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from sluice.storage.chain import Head


class _Group(SubcommandGroup):
    elsewhere: ClassVar = {
        "list": ("audit_list:list_command", "List the newest entries that fit."),
        "actions": ("audit_list:actions_command", "List what can be recorded."),
        "export": ("audit_export:export", "Write the log as lines of JSON, or as CloudEvents."),
    }


@click.group("audit", cls=_Group)
def command() -> None:
    """The audit log: list it, export it, and verify that nobody edited it.

    \b
    Example: sluice audit verify
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("verify")
@click.option("--head", default="", metavar="SEQUENCE:HASH", help="The end of the log as noted earlier, elsewhere.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    default=None,
    help="Check a file that 'sluice audit export' wrote instead ('-' for standard input).",
)
@click.option("--key", type=click.Path(path_type=Path), default=None, help="The key of the log, for --file elsewhere.")
@output_option
def verify(*, head: str, file: Path | None, key: Path | None, output: str) -> None:
    """Check the whole log: no entry edited, removed or moved, no record changed behind its back.

    Records are connections, variable groups, variables of pipelines, and permits: each is what the log says it is, and
    every seal opens (where the master key is not here, seals are not opened, and that is said).

    The end of the log is noted beside the keys as well, so that a log whose end was cut off, or that was written anew
    as a whole, is found out. It is printed too: keep it elsewhere and give it with --head to trust no file here.

    \b
    Example: sluice audit verify
    """  # noqa: D301  # as above
    from sluice.runs.inspection import inspect_seals
    from sluice.storage import audit
    from sluice.storage.vouched import broken

    kept = _parse_head(head) if head else None
    if file is not None:
        from sluice.cli.audit_export import verify_file

        verify_file(file, key, kept, output)
        return
    if key is not None:
        raise UsageError("--key goes with --file")
    with opened_store() as store, store.database.read() as transaction:
        store.guard.require_administrator("check the audit log", "vso.auditlog")
        noted = audit.noted_head(store.database.home) if store.database.home else None
        verdict = audit.verify(transaction, *(one for one in (kept, noted) if one))
        seals = inspect_seals(transaction, store.sealer.provider)
        edited = list(broken(transaction))
    end = str(verdict.head)
    breaches = [{"sequence": one.sequence, "what": one.what} for one in verdict.breaches]
    breaches.extend({"sequence": 0, "what": what} for what in (*edited, *seals.broken))
    if seals.more:
        breaches.append({"sequence": 0, "what": f"{seals.more} more seals cannot be opened"})
    if output == "json":
        opened = {"opened": seals.opened, "notOpened": seals.unknown}
        print_json({"whole": not breaches, "head": end, "seals": opened, "breaches": breaches})
    elif not breaches:
        entries = f"{verdict.head.sequence} {'entry' if verdict.head.sequence == 1 else 'entries'}"
        click.echo(f"the audit log is whole: {entries}, its end is {end}")
    if seals.unknown:
        count = "1 seal was" if seals.unknown == 1 else f"{seals.unknown} seals were"
        click.echo(f"sluice: audit: {count} not opened: {plain(seals.why)}", err=True)
    if breaches:
        for breach in breaches:
            place = f"entry {breach['sequence']}: " if breach["sequence"] else ""
            click.echo(f"sluice: audit: {place}{plain(breach['what'])}", err=True)
        click.echo(
            "sluice: the database was changed outside of Sluice: compare it with a backup (when you have put an older "
            "one back yourself, 'sluice audit accept-head' accepts it)",
            err=True,
        )
        raise click.exceptions.Exit(ExitCode.FAILED)


@command.command("accept-head")
@click.option("--yes", is_flag=True, help="Do not ask.")
def accept_head(*, yes: bool) -> None:
    """Accept the database as it is, after you have put back an older one from a backup.

    Sluice notes the end of the audit log beside the keys, and neither records anything nor opens a secret while that
    end is not in the database: permits that were taken away since would be back. Look at what is permitted afterwards.

    \b
    Example: sluice audit accept-head
    """  # noqa: D301  # as above
    import time

    from sluice.cli.connection_entry import confirm
    from sluice.cli.installation import current_user
    from sluice.storage import audit

    click.echo(
        "sluice: audit: whoever could write to the database may have put an older one in its place: permits that were "
        "taken away, and secrets that were replaced, are back then",
        err=True,
    )
    if not yes and not confirm("Have you put it back yourself?", otherwise="give --yes"):
        raise UsageError("nothing was accepted")
    with opened_database() as database, database.write() as transaction:
        guard_of(database).require_administrator("accept another database")
        noted, accepted = audit.accept_head(transaction, by=current_user(), at=time.time())
    click.echo(f"accepted: the audit log ends at {accepted} (noted was {noted or 'nothing'})")


def _parse_head(text: str) -> Head:
    from sluice.storage.chain import Head

    try:
        return Head.parse(text)
    except ValueError:
        raise UsageError("--head takes what 'sluice audit verify' answered: SEQUENCE:HASH") from None
