"""`sluice pipeline delete`: a pipeline goes, with its runs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from sluice.cli.connection_entry import confirm
from sluice.cli.installation import current_user, guard_of, opened_database
from sluice.cli.output import output_option, plain, print_json, project_option

if TYPE_CHECKING:
    from sluice.runs.pipeline_deletion import Goes


@click.command("delete")
@click.argument("pipeline")
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
@output_option
def delete(pipeline: str, *, yes: bool, project: str, output: str) -> None:
    """Delete a PIPELINE (its name, number or file) with its runs, their logs and artifacts, permits and variables.

    Its file stays where it is: run again, it is a new pipeline that is permitted nothing. The audit log and the usage
    history of connections keep what they say of it.

    \b
    Example: sluice pipeline delete old --yes
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.cli.pipeline import known
    from sluice.runs.pipeline_deletion import delete as delete_in
    from sluice.runs.pipeline_deletion import goes_with
    from sluice.storage.home import Home

    with opened_database() as database:
        found = known(database, project, pipeline)
        with database.read() as transaction:
            told = _told(goes_with(transaction, found))
        if not yes and not confirm(f"Delete the pipeline '{plain(found.name)}'{told}?", otherwise="add --yes"):
            raise click.Abort
        with database.write() as transaction:
            guard = guard_of(database)
            went = delete_in(transaction, Home.find(), guard, found, by=current_user(), at=time.time())
    if output == "json":
        facts = {"id": found.id, "name": found.name, "deleted": True}
        print_json({**facts, "runs": list(went.runs), "permits": len(went.permits)})
        return
    click.echo(f"deleted the pipeline '{plain(found.name)}'{_told(went)}")


def _told(goes: Goes) -> str:
    parts = [(len(goes.runs), "run"), (len(goes.permits), "permit")]
    told = [f"{count} {word}{'' if count == 1 else 's'}" for count, word in parts if count]
    return f" with {' and '.join(told)}" if told else ""
