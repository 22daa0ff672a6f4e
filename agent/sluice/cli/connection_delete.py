"""`sluice connection delete`, which shows what it would break, and `restore`, which undoes it for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from sluice.cli.connection_entry import confirm, say
from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import as_time, output_option, plain, print_json, project_option
from sluice.errors import NotFoundError

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.store import ConnectionStore

_DAYS = 30


@click.command("delete")
@click.argument("name")
@click.option("--for-good", is_flag=True, help="Keep nothing: also for one that is deleted already.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
@output_option
def delete(name: str, *, for_good: bool, yes: bool, project: str, output: str) -> None:
    """Delete a service connection and its permits. Its usage history and audit entries stay.

    What that breaks is shown before. For 30 days 'sluice connection restore' puts it back; until then its secrets open
    for nobody.

    \b
    Example: sluice connection delete web1 --yes
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    with opened_store() as store:
        try:
            record = store.get(project, name)
        except NotFoundError:
            if not for_good:
                raise
            _forget(store, project, name, yes=yes, output=output)
            return
        store.require_delete(record)
        breaks = _breaks(store, record)
        told = _told(breaks)
        if not yes:
            question = f"Delete the service connection '{record.name}' ({record.type}; {told})?"
            if not confirm(plain(question), otherwise=f"add --yes; {plain(told)}"):
                raise click.Abort
        store.delete(project, record.id, by=current_user(), for_good=for_good)
        kept = not for_good and any(one.row.id == record.id for one in store.deleted(project))
    if output == "json":
        print_json({"id": record.id, "name": record.name, "deleted": True, "kept": kept, **breaks})
        return
    if yes:
        say(told)
    undo = f": 'sluice connection restore {record.name}' undoes that for {_DAYS} days" if kept else ""
    click.echo(f"deleted the service connection '{record.name}'{undo}")


@click.command("restore")
@click.argument("name")
@click.option("--name", "new_name", default="", help="Another name, when the old one is taken meanwhile.")
@project_option
@output_option
def restore(name: str, *, new_name: str, project: str, output: str) -> None:
    """Put a deleted service connection back: its secrets, and its permits for pipelines that still exist.

    NAME is its name (the one deleted last) or its id; 'sluice connection list --deleted' shows them.

    \b
    Example: sluice connection restore web1
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import as_json, permitted_pipelines

    with opened_store() as store:
        record = store.restore(project, name, by=current_user(), new_name=new_name)
        pipelines = permitted_pipelines(store, record)
    if output == "json":
        print_json({**as_json(record), "pipelines": pipelines})
        return
    whose = f"permitted for: {', '.join(pipelines)}" if pipelines else "no pipeline is permitted to use it"
    click.echo(plain(f"restored the service connection '{record.name}' ({whose})"))


def _forget(store: ConnectionStore, project: str, name: str, *, yes: bool, output: str) -> None:
    question = f"Forget the deleted service connection '{plain(name)}' for good?"
    if not yes and not confirm(question, otherwise="add --yes"):
        raise click.Abort
    found = store.forget(project, name, by=current_user())
    if output == "json":
        print_json({"id": found.row.id, "name": found.row.name, "deleted": True, "kept": False})
        return
    click.echo(f"forgot the deleted service connection '{found.row.name}'")


def _breaks(store: ConnectionStore, record: ConnectionRecord) -> dict[str, Any]:
    """What a deletion would break."""
    from sluice.runs.blast_radius import blast_radius

    found = blast_radius(store, record)
    return {
        "pipelines": list(found.pipelines),
        "dependants": list(found.dependants),
        "uses": found.uses,
        "lastUsed": as_time(found.last_used),
        "lastUsedBy": list(found.last_used_by),
        "checks": found.checks,
        "checksThroughIt": list(found.checks_through_it),
        "sharedWith": list(found.shared_with),
    }


def _told(breaks: dict[str, Any]) -> str:
    parts = ["no pipeline is permitted to use it"]
    if breaks["pipelines"]:
        parts = [f"permitted for: {', '.join(breaks['pipelines'])}"]
    if breaks["dependants"]:
        parts.append(f"{', '.join(breaks['dependants'])} go through it and will not work without it")
    if breaks["uses"]:
        by = f" by {', '.join(breaks['lastUsedBy'])}" if breaks["lastUsedBy"] else ""
        times = "once" if breaks["uses"] == 1 else f"{breaks['uses']} times, last"
        parts.append(f"used {times} at {breaks['lastUsed']}{by}")
    if breaks["checks"]:
        parts.append(f"{breaks['checks']} check{'s' if breaks['checks'] > 1 else ''} on it")
    if asking := breaks["checksThroughIt"]:
        numbers = ", ".join(map(str, asking))
        parts.append(f"check{'s' if len(asking) > 1 else ''} {numbers} of other resources cannot ask without it")
    if breaks["sharedWith"]:
        parts.append(f"it stays in the projects {', '.join(breaks['sharedWith'])}")
    return "; ".join(parts)
