"""`sluice connection`: the group, whose commands are imported when they are called, and what only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import click

from sluice.cli.installation import given_token, guard_of, opened_database, opened_store
from sluice.cli.output import as_time, days, output_option, print_fields, print_json, print_table, project_option
from sluice.cli.subcommands import SubcommandGroup

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.store import ConnectionStore
    from sluice.storage.glance import Listed
    from sluice.storage.usage import UsageRecord


class _Group(SubcommandGroup):
    elsewhere: ClassVar = {
        "create": ("connection_edit:create", "Store a new service connection."),
        "update": ("connection_edit:update", "Change fields or secrets; the rest stays."),
        "delete": ("connection_delete:delete", "Delete a service connection."),
        "restore": ("connection_delete:restore", "Put a deleted service connection back."),
        "rotate": ("connection_rotate:rotate", "Replace its secrets once the new ones work; undo that."),
        "usages": ("connection_usages:usages", "Where YAML names it, who may use it, and what ran when."),
        "verify": ("connection_verify:verify", "Try it against its far side."),
        "federation": ("connection_federation:federation", "What to enter in Entra for workload identity federation."),
        "permit": ("connection_permit:permit", "Permit a pipeline to use it."),
        "revoke": ("connection_permit:revoke", "Take a pipeline's permit away."),
        "roles": ("connection_roles:roles", "Who may see, use and administer it."),
        "share": ("connection_share:share", "Let it be in another project too."),
        "unshare": ("connection_share:unshare", "Take it out of a project that it was shared with."),
        "apply": ("connection_file:apply", "Bring connections to what connections.yml says."),
        "export": ("connection_file:export", "Write all connections as a connections.yml, without secrets."),
        "types": ("connection_types:types", "List the types, or the fields of one."),
    }


@click.group(cls=_Group, name="connection")
def command() -> None:
    """Service connections: what pipelines use to reach other systems.

    \b
    Example: sluice connection create web1 --type ssh --set Host=web1.example --set username=deploy --secret password=-
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("list")
@click.option("--expiring", default="", metavar="DAYS", help="Only those that expire within so many days, such as 30d.")
@click.option("--deleted", is_flag=True, help="Those that were deleted and can be put back.")
@project_option
@output_option
def list_command(*, expiring: str, deleted: bool, project: str, output: str) -> None:
    """List the service connections of a project.

    \b
    Example: sluice connection list --expiring 30d
    """  # noqa: D301  # as above
    import time

    if deleted:
        _list_deleted(project, output)
        return
    until = time.time() + days(expiring) if expiring else None
    rows = _glanced(project, until) if output == "text" and given_token() is None else None
    if rows is None:
        from sluice.connections import lookup
        from sluice.storage import expiries, projects

        with opened_database() as database, database.read() as transaction:
            records = lookup.listed(transaction, projects.find(transaction, project).id, guard_of(database))
            found = expiries.of(transaction, [record.id for record in records])
        first = {key: each[0].at for key, each in found.items()}
        if until is not None:
            records = tuple(one for one in records if first.get(one.id, until + 1) <= until)
        if output == "json":
            from sluice.cli.connection_view import as_json

            print_json([{**as_json(one), "expiresOn": as_time(first.get(one.id))} for one in records])
            return
        rows = [_list_row(record, first.get(record.id)) for record in records]
    none = "no service connections yet: make one with 'sluice connection create'"
    columns = ["name", "type", "scheme", "url", "state", "expires"]
    if not any(row["expires"] for row in rows):
        columns.remove("expires")
    print_table(rows, columns, empty="nothing expires by then" if expiring else none)


def _list_deleted(project: str, output: str) -> None:
    with opened_store() as store:
        rows = [
            {
                "name": one.row.name,
                "id": one.row.id,
                "type": one.row.type,
                "deleted": as_time(one.deleted_at),
                "by": one.deleted_by,
                "kept_until": as_time(one.purge_at),
            }
            for one in store.deleted(project)
        ]
    if output == "json":
        print_json(rows)
        return
    print_table(rows, ["name", "id", "type", "deleted", "by", "kept_until"], empty="nothing is deleted and kept")


def _glanced(project: str, until: float | None) -> list[dict[str, object]] | None:
    """The rows without the database library, None where that cannot be, or not everything may be seen."""
    from sluice.storage import glance
    from sluice.storage.accounts import owns
    from sluice.storage.home import Home

    home = Home.find()
    listed = glance.connections(home, project) if owns(home) else None
    if listed is None:
        return None
    wanted = [one for one in listed if until is None or (one.expires_at is not None and one.expires_at <= until)]
    return [_list_row(one, one.expires_at) for one in wanted]


def _list_row(one: ConnectionRecord | Listed, expires_at: float | None) -> dict[str, object]:
    state = "disabled" if one.disabled else ""
    expires = as_time(expires_at).partition("T")[0]
    return {
        "name": one.name,
        "type": one.type,
        "scheme": one.scheme,
        "url": one.url,
        "state": state,
        "expires": expires,
    }


@command.command("show")
@click.argument("name")
@project_option
@output_option
def show_command(name: str, *, project: str, output: str) -> None:
    """Show a service connection: its fields, which secrets are set, and who may use it. Secrets are never shown.

    \b
    Example: sluice connection show web1
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import as_fields, as_json, permitted_pipelines, terms_of
    from sluice.connections import sharing

    with opened_store() as store:
        record = store.get(project, name)
        pipelines = permitted_pipelines(store, record)
        terms = terms_of(store, record)
        places, is_shared = sharing.places(store, record)
    if output == "json":
        shared = [{"project": one.project, "name": one.name} for one in places]
        print_json({**as_json(record), **terms, "pipelines": pipelines, "isShared": is_shared, "projects": shared})
        return
    fields = as_fields(record, pipelines)
    if is_shared:
        fields["shared"] = ", ".join(f"'{one.name}' in {one.project}" for one in places)
    if terms["allowUntrusted"] != "none":
        fields["untrusted runs"] = terms["allowUntrusted"]
    told = (f"{one['at']} ({one['kind']}{' in ' if one['field'] else ''}{one['field']})" for one in terms["expires"])
    if expires := "; ".join(told):
        fields["expires"] = expires
    print_fields(fields)


def _uses(store: ConnectionStore, project: str, name: str, limit: int) -> tuple[UsageRecord, ...]:
    from sluice.cli.connection_entry import say
    from sluice.connections import lookup
    from sluice.storage import projects, usage

    with store.database.read() as transaction:
        home = projects.find(transaction, project)
        connection_id, deleted = lookup.id_of(transaction, home.id, name, store.guard)
        records = usage.history(transaction, connection_id, project_id=home.id, limit=limit)
    if deleted:
        say(f"'{name}' is deleted: these are its uses until then")
    return records


@command.command("history")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many uses.")
@project_option
@output_option
def history_command(name: str, *, limit: int, project: str, output: str) -> None:
    """List the uses of a service connection, newest first. Those of a deleted one stay under its name.

    \b
    Example: sluice connection history web1
    """  # noqa: D301  # as above
    from sluice.runs.identifiers import DEFAULT

    with opened_store() as store:
        records = _uses(store, project, name, limit)
    rows = [
        {
            "started": as_time(record.started_at),
            "finished": as_time(record.finished_at),
            "pipeline": record.pipeline,
            "run": record.run_id or "",
            "stage": "" if record.stage == DEFAULT else record.stage,
            "job": record.job,
            "step": record.step,
            "task": record.task,
            "result": record.result,
        }
        for record in records
    ]
    if output == "json":
        print_json(rows)
        return
    columns = ["started", "pipeline", "run", "stage", "job", "step", "task", "result"]
    print_table(rows, columns, empty="it has not been used yet")
