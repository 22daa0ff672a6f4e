"""`sluice audit list`: the newest entries that fit."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.installation import guard_of, opened_database
from sluice.cli.output import as_time, output_option, print_json, print_table
from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.storage.chain import Link
    from sluice.storage.engine import Transaction

_AGO = re.compile(r"(\d{1,6})([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_CATEGORIES = ["Access", "Create", "Execute", "Modify", "Remove"]


@click.command("list")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="How many, newest.")
@click.option("--before", type=click.IntRange(1), default=None, help="Only entries before this one: the next page.")
@click.option(
    "--action", "names", multiple=True, metavar="ID", help="Only this action, such as ServiceConnectionExecuted."
)
@click.option("--category", type=click.Choice(_CATEGORIES, case_sensitive=False), default=None, help="Only this one.")
@click.option("--actor", default="", help="Only what this user did.")
@click.option("--connection", default="", help="Only of this service connection, also when it is deleted.")
@click.option("--run", "run_id", type=click.IntRange(1, 2**62), default=None, help="Only of this run.")
@click.option("--since", default="", metavar="TIME", help="Only from then on: 2027-01-31, 2027-01-31T08:00, or 7d ago.")
@click.option("--until", default="", metavar="TIME", help="Only before then.")
@click.option("--project", default=None, help="Only of this project; that of --connection (default: default).")
@output_option
def list_command(
    *,
    limit: int,
    before: int | None,
    names: tuple[str, ...],
    category: str | None,
    actor: str,
    connection: str,
    run_id: int | None,
    since: str,
    until: str,
    project: str | None,
    output: str,
) -> None:
    """List the newest entries that fit all that is given, oldest of them first.

    \b
    Example: sluice audit list --connection web1 --since 7d
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.storage import audit

    wanted: dict[str, Any] = {
        "actions": frozenset(map(_action, names)),
        "category": category or "",
        "actor": actor,
        "run_id": run_id or 0,
        "since": _time(since) if since else None,
        "until": _time(until) if until else None,
        "before": before or 0,
    }
    with opened_database() as database, database.read() as transaction:
        guard_of(database).require_administrator("read the audit log", "vso.auditlog")
        wanted |= _places(transaction, project, connection)
        links = audit.search(transaction, audit.Wanted(**wanted), limit=limit)
    rows = [_row(link) for link in links]
    if output == "json":
        print_json(rows)
        return
    filtered = any(wanted.values())
    empty = "no entry fits" if filtered else "the audit log is empty"
    print_table(rows, ["sequence", "at", "actor", "from", "actionId", "text"], empty=empty)
    if len(links) == limit and links[0].entry.sequence > 1:
        click.echo(f"sluice: older ones: --before {links[0].entry.sequence}", err=True)


@click.command("actions")
@output_option
def actions_command(*, output: str) -> None:
    """List what can be recorded, and the sentence of each.

    \b
    Example: sluice audit actions
    """  # noqa: D301  # as above
    from sluice.storage.action_registry import ACTIONS

    found = sorted(ACTIONS.values(), key=lambda action: action.id)
    rows = [{"actionId": one.id, "category": one.category, "text": one.text} for one in found]
    if output == "json":
        print_json(rows)
        return
    print_table(rows, ["actionId", "category", "text"], empty="nothing")


def _places(transaction: Transaction, project: str | None, connection: str) -> dict[str, Any]:
    from sluice.connections import lookup
    from sluice.storage import projects

    if not connection and project is None:
        return {}
    home = projects.find(transaction, project or "default")
    found: dict[str, Any] = {"project_id": home.id} if project is not None else {}
    if connection:
        found["resource_id"], _ = lookup.id_of(transaction, home.id, connection)
    return found


def _row(link: Link) -> dict[str, object]:
    from sluice.storage import audit

    entry = link.entry
    details = _details(entry.details)
    origin = details.get(audit.ORIGIN, {}) if isinstance(details, dict) else {}
    return {
        "sequence": entry.sequence,
        "at": as_time(entry.at),
        "actor": entry.actor,
        "from": _short(origin) if isinstance(origin, dict) else "",
        "actionId": entry.action,
        "category": entry.category,
        "text": audit.describe(entry),
        "details": details,
        "hash": link.hash,
    }


def _short(origin: dict[str, object]) -> str:
    """Where an entry comes from, in a cell: the address from elsewhere, or the host and its process."""
    where = origin.get("address") or origin.get("host", "")
    return f"{where}:{origin.get('process', '')}" if where else ""


def _action(name: str) -> str:
    from sluice.connections.catalogue import nearest
    from sluice.storage.action_registry import ACTIONS

    known = {key.casefold(): action for action in ACTIONS for key in (action, action.partition(".")[2])}
    if found := known.get(name.strip().casefold()):
        return found
    raise UsageError(
        f"there is no action '{name}'", do=nearest(name, list(ACTIONS), otherwise="see 'sluice audit actions'")
    )


def _time(text: str) -> float:
    """Seconds since the epoch, of a time in UTC or of how long ago it was."""
    import time

    if ago := _AGO.fullmatch(text.strip().removesuffix("ago").strip()):
        return time.time() - int(ago[1]) * _SECONDS[ago[2]]
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(f"'{text}' is no time", do="write 2027-01-31, 2027-01-31T08:00, or 7d, 12h, 30m") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _details(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text
