"""`sluice connection apply` and `export`: connections as a file, secrets only as references."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sluice.cli.connection_entry import say
from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import output_option, print_json, print_table, project_option

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord

_HEADING = "# Service connections of Sluice; bring them back with: sluice connection apply FILE\n"


@click.command("apply")
@click.argument("file", default="connections.yml", type=click.Path(path_type=Path))
@click.option("--plan", "plan_only", is_flag=True, help="Only show what would be done.")
@project_option
@output_option
def apply(file: Path, *, plan_only: bool, project: str, output: str) -> None:
    """Bring service connections to what FILE (connections.yml) says: all or none. A second time changes nothing.

    What the file does not mention stays as it is. Secrets are given as references (env:NAME, file:/path).

    \b
    Example: sluice connection apply connections.yml --plan
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.cli.connection_document import read_document
    from sluice.connections.document import apply as apply_document

    wanted = read_document(file)
    with opened_store() as store:
        changes = apply_document(store, project, wanted, by=current_user(), at=time.time(), plan_only=plan_only)
    for change in changes:
        for note in change.notes:
            say(f"'{change.name}': {note}")
    rows = [{"action": one.action, "name": one.name, "details": ", ".join(one.details)} for one in changes]
    if output == "json":
        print_json({"applied": not plan_only, "changes": rows})
        return
    print_table(rows, ["action", "name", "details"], empty="the file describes no connections")
    if plan_only:
        say("nothing was changed: this is the plan")


@click.command("export")
@project_option
@output_option
def export(*, project: str, output: str) -> None:
    """Print the service connections of a project as a file that apply reads. Stored secrets are left out.

    \b
    Example: sluice connection export > connections.yml
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.connections import terms
    from sluice.connections.document import export as export_document
    from sluice.storage import permissions

    with opened_store() as store:
        records = store.list(project)
        everybody = frozenset(
            record.id
            for record in records
            if any(one.pipeline_id == permissions.ALL_PIPELINES for one in store.permissions(record))
        )
        with store.database.read() as transaction:
            said = {record.id: terms.exported(transaction, record) for record in records}
        document = export_document(records, store.catalogue, everybody, said)
    if output == "json":
        print_json(document)
    else:
        import yaml

        click.echo(_HEADING + yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)
    _tell_omitted(records)


def _tell_omitted(records: tuple[ConnectionRecord, ...]) -> None:
    for record in records:
        if record.secrets:
            names = ", ".join(sorted(key for _, key in record.secrets))
            say(f"'{record.name}': left out {names}, which only Sluice has; enter it anew where the file is applied")
