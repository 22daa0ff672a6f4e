"""`sluice runs artifacts` and `sluice runs attachments`: what a run has left behind, listed and downloaded."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.output import as_time, output_option, plain, print_json, print_table, run_argument
from sluice.cli.session import opened_orchestrator
from sluice.errors import NotFoundError

if TYPE_CHECKING:
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.artifacts import ArtifactRow
    from sluice.storage.attachments import AttachmentRow

_to_option = click.option(
    "--to",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where to download to (here, unless given).",
)


@click.command(epilog="Example: sluice runs artifacts 7 --download drop --to out")
@run_argument
@click.option("--download", "names", multiple=True, metavar="NAME", help="Download this one (several: repeat).")
@_to_option
@output_option
def artifacts(*, run_id: int, names: tuple[str, ...], to: Path, output: str) -> None:
    """List the artifacts of a run, or download some of them, each into a folder of its name."""
    from sluice.runs.left_behind import download, find_artifact
    from sluice.storage import artifacts as stored
    from sluice.storage.blobs import Blobs

    with opened_orchestrator() as orchestrator:
        _check_run(orchestrator, run_id)
        with orchestrator.database.read() as transaction:
            found = stored.of_run(transaction, run_id)
        if not names:
            _print_artifacts(found, output)
            return
        blobs = Blobs(orchestrator.home.content)
        done: list[dict[str, Any]] = []
        for row in [find_artifact(found, name) for name in names]:
            target, manifest = download(blobs, row, to)
            done.append({"name": row.name, "files": manifest.files, "size": manifest.size, "path": str(target)})
            if output != "json":
                click.echo(f"Downloaded '{plain(row.name)}' ({files_of(manifest.files)}) to {plain(target)}")
        if output == "json":
            print_json(done)


def _print_artifacts(found: list[ArtifactRow], output: str) -> None:
    if output == "json":
        print_json([describe_artifact(row) for row in found])
        return
    rows = [
        {"name": row.name, "type": row.type, "files": row.files, "size": size_of(row.size), "by": row.step}
        | {"location": row.location}
        for row in found
    ]
    print_table(rows, ["name", "type", "files", "size", "by", "location"], empty="The run has no artifacts.")


def describe_artifact(row: ArtifactRow) -> dict[str, Any]:
    """An artifact as JSON values."""
    return {
        "name": row.name,
        "type": row.type,
        "files": row.files,
        "size": row.size,
        "location": row.location,
        "properties": dict(row.properties),
        "step": row.step,
        "createdOn": as_time(row.created_at),
    }


@click.command(epilog="Example: sluice runs attachments 7 --download report.html --to out")
@run_argument
@click.option("--download", "names", multiple=True, metavar="NAME", help="Download those of this name.")
@_to_option
@output_option
def attachments(*, run_id: int, names: tuple[str, ...], to: Path, output: str) -> None:
    """List the files that steps have attached to a run, or download some of them."""
    from sluice.runs.identifiers import shown
    from sluice.storage import attachments as stored
    from sluice.storage import records

    with opened_orchestrator() as orchestrator:
        _check_run(orchestrator, run_id)
        with orchestrator.database.read() as transaction:
            found = stored.of_run(transaction, run_id)
            every = records.of_run(transaction, run_id, every_attempt=True, kinds=("Task",))
        steps = {record.id: shown(record.identifier) for record in every}
        if names:
            _download_attachments(orchestrator, found, steps, names, to)
            return
    rows = [
        {"step": steps.get(row.record_id, ""), "type": row.type, "name": row.name, "size": row.size} for row in found
    ]
    if output == "json":
        print_json(rows)
    else:
        shown_rows = [{**row, "size": size_of(int(str(row["size"])))} for row in rows]
        print_table(shown_rows, ["step", "type", "name", "size"], empty="The run has no attachments.")


def _download_attachments(
    orchestrator: Orchestrator, found: list[AttachmentRow], steps: dict[str, str], names: tuple[str, ...], to: Path
) -> None:
    """Each into a folder of its step's name: several steps may have attached files of one name."""
    from sluice.runs.left_behind import unpack_attachment
    from sluice.storage.blobs import Blobs

    blobs = Blobs(orchestrator.home.content)
    for name in names:
        chosen = [row for row in found if row.name.casefold() == name.casefold()]
        if not chosen:
            raise NotFoundError(f"there is no attachment '{name}'", do="see them without --download")
        for row in chosen:
            path = unpack_attachment(blobs, row, to / (steps.get(row.record_id) or row.record_id))
            click.echo(f"Downloaded '{plain(row.name)}' to {plain(path)}")


def _check_run(orchestrator: Orchestrator, run_id: int) -> None:
    from sluice.runs.pipelines import require_seen

    with orchestrator.database.read() as transaction:
        require_seen(transaction, orchestrator.store.guard, run_id)


def files_of(count: int) -> str:
    """How many files, as people read it."""
    return f"{count} file{'' if count == 1 else 's'}"


def size_of(size: int) -> str:
    """A size as people read it."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size} B"
