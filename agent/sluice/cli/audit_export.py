"""`sluice audit export`, and the check of a file that it wrote."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sluice.cli.installation import guard_of, opened_database
from sluice.cli.output import plain, print_json
from sluice.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from sluice.storage.chain import Breach, Head


@click.command("export")
@click.option("--format", "form", type=click.Choice(["jsonl", "cloudevents"]), default="jsonl", show_default=True)
@click.option(
    "--after", type=click.IntRange(0), default=0, help="Only entries behind this one: where the last file ends."
)
@click.option("--limit", type=click.IntRange(1), default=None, help="So many at most.")
def export(*, form: str, after: int, limit: int | None) -> None:
    """Write the log to standard output, a line of JSON for each entry, oldest first.

    A line has the link of the chain, so that 'sluice audit verify --file' checks a file without the database. The last
    line's sequence is what --after takes to go on.

    \b
    Example: sluice audit export --after 1200 --format cloudevents
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.storage import audit
    from sluice.storage.exported import line

    with opened_database() as database, database.read() as transaction:
        guard_of(database).require_administrator("read the audit log", "vso.auditlog")
        for link in audit.entries(transaction, after=after, limit=limit):
            click.echo(line(link, form))


def verify_file(file: Path, key: Path | None, head: Head | None, output: str) -> None:
    """Check a file that `export` wrote, and say what was found; needs the key of the log, and no database."""
    from sluice.storage.chain import Breach, Linking, find_breach
    from sluice.storage.exported import read_links, start_of
    from sluice.storage.home import Home
    from sluice.storage.vouching import Voucher

    known = Voucher(key or Home.find().audit_key).audit_key
    linking = Linking(key=known.key, taken_over=known.taken_over, unchecked=known.unchecked)
    differing: list[int] = []
    links = read_links(_lines(file), differing.append)
    first = next(links, None)
    if first is None:
        raise UsageError(f"the file '{file}' holds no entry")
    start = start_of(first)
    kept = (head,) if head else ()
    breach, end = find_breach(chain([first], links), *kept, linking=linking, start=start)
    if differing and (breach is None or differing[0] < breach.sequence):
        breach = Breach(differing[0], "its line says something else (its text, its attributes) than the entry does")
    _tell(breach, start, end, output)


def _tell(breach: Breach | None, start: Head, end: Head, output: str) -> None:
    if output == "json":
        breaches = [{"sequence": breach.sequence, "what": breach.what}] if breach else []
        print_json({"whole": not breach, "after": str(start), "head": str(end), "breaches": breaches})
    elif not breach:
        since = f" behind {start}" if start.sequence else ""
        count = end.sequence - start.sequence
        click.echo(f"the file is whole: {count} {'entry' if count == 1 else 'entries'}{since}, its end is {end}")
    if breach:
        click.echo(f"sluice: audit: entry {breach.sequence}: {plain(breach.what)}", err=True)
        raise click.exceptions.Exit(ExitCode.FAILED)


def _lines(file: Path) -> Iterator[bytes]:
    from sluice.storage.exported import MAX_LINE_BYTES

    try:
        with sys.stdin.buffer if str(file) == "-" else file.open("rb") as opened:
            yield from iter(lambda: opened.readline(MAX_LINE_BYTES + 1), b"")
    except OSError as error:
        raise UsageError(f"the file '{file}' cannot be read", why=error.strerror or str(error)) from error
