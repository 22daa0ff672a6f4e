"""`sluice secure-file`: the group, whose commands are imported when they are called, and what only reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import click

from sluice.cli.installation import opened_files
from sluice.cli.output import as_time, output_option, print_fields, print_json, print_table, project_option
from sluice.cli.subcommands import SubcommandGroup

if TYPE_CHECKING:
    from sluice.storage.secure_files import FileRow


class _Group(SubcommandGroup):
    elsewhere: ClassVar = {
        "upload": ("secure_file_edit:upload", "Store a new secure file."),
        "update": ("secure_file_edit:update", "Say which untrusted runs may use it."),
        "delete": ("secure_file_edit:delete", "Delete a secure file."),
        "permit": ("secure_file_permit:permit", "Permit a pipeline to use it."),
        "revoke": ("secure_file_permit:revoke", "Take a pipeline's permit away."),
        "roles": ("secure_file_permit:roles", "Who may see, use and administer it."),
    }


@click.group(cls=_Group, name="secure-file")
def command() -> None:
    """Secure files: certificates, keystores and such that tasks download (`DownloadSecureFile@1`).

    \b
    Example: sluice secure-file upload certificate.pfx
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("list")
@project_option
@output_option
def list_command(*, project: str, output: str) -> None:
    """List the secure files of a project. Their contents are never shown.

    \b
    Example: sluice secure-file list --output json
    """  # noqa: D301  # as above
    with opened_files() as store:
        files = store.list(project)
    if output == "json":
        print_json([as_json(file) for file in files])
        return
    rows = [
        {"name": file.name, "bytes": file.size, "uploaded": as_time(file.created_at), "by": file.created_by}
        for file in files
    ]
    empty = "no secure files yet: store one with 'sluice secure-file upload PATH'"
    print_table(rows, ["name", "bytes", "uploaded", "by"], empty=empty)


@command.command("show")
@click.argument("name")
@project_option
@output_option
def show_command(name: str, *, project: str, output: str) -> None:
    """Show what is known of a secure file, and who may use it. Its content is never shown.

    \b
    Example: sluice secure-file show certificate.pfx
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import pipelines_of
    from sluice.storage.secure_files import resource_of

    with opened_files() as store:
        file = store.get(project, name)
        pipelines = pipelines_of(store.database, resource_of(file))
        untrusted = store.lets_in(file)
    if output == "json":
        print_json({**as_json(file), "pipelines": pipelines, "allowUntrusted": untrusted})
        return
    print_fields(
        {
            "name": file.name,
            "id": file.id,
            "size": f"{file.size} bytes",
            "permitted": ", ".join(pipelines) or "no pipeline yet: the first run asks",
            "untrusted runs": untrusted,
            "uploaded": f"{as_time(file.created_at)} by {file.created_by}",
        }
    )


@command.command("history")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many uses.")
@project_option
@output_option
def history_command(name: str, *, limit: int, project: str, output: str) -> None:
    """List the uses of a secure file, newest first.

    \b
    Example: sluice secure-file history certificate.pfx
    """  # noqa: D301  # as above
    from sluice.runs.identifiers import DEFAULT

    with opened_files() as store:
        records = store.history(store.get(project, name), limit=limit)
    rows = [
        {
            "started": as_time(record.started_at),
            "finished": as_time(record.finished_at),
            "pipeline": record.pipeline,
            "run": record.run_id or "",
            "stage": "" if record.stage == DEFAULT else record.stage,
            "job": record.job,
            "task": record.task,
            "result": record.result,
        }
        for record in records
    ]
    if output == "json":
        print_json(rows)
        return
    columns = ["started", "pipeline", "run", "stage", "job", "task", "result"]
    print_table(rows, columns, empty="it has not been used yet")


def as_json(file: FileRow) -> dict[str, Any]:
    """A secure file for `--output json`."""
    return {
        "id": file.id,
        "name": file.name,
        "size": file.size,
        "createdBy": file.created_by,
        "createdOn": as_time(file.created_at),
    }
