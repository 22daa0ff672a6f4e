"""`sluice connection usages`: where pipelines name a connection, which may use it, and which have."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.connection_entry import say
from sluice.cli.installation import opened_store
from sluice.cli.output import as_time, days, output_option, plain, print_json, print_table, project_option
from sluice.errors import SluiceError, UsageError
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.store import ConnectionStore
    from sluice.language.resources import ResourceUse

_BY_HAND = "(by hand)"
_ALL = "all pipelines"


@click.command("usages")
@click.argument("name", default="")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--unused", default="", metavar="DAYS", help="Only what was not used for so many days, such as 180d.")
@project_option
@output_option
def usages(name: str, *, files: tuple[Path, ...], unused: str, project: str, output: str) -> None:
    """Unite where pipelines name a service connection, which are permitted to use it, and what has run when.

    Pipelines are read from FILES; without any, from the files of the pipelines that are known. With --unused these are
    the permits that nobody has used for so long; and without NAME, the service connections themselves.

    \b
    Example: sluice connection usages web1 azure-pipelines.yml
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    since = time.time() - days(unused) if unused else None
    if not name and since is None:
        raise UsageError("name a service connection, or give --unused")
    with opened_store() as store:
        if not name and since is not None:
            _print_unused(_unused(store, project, since), output)
            return
        record = store.get(project, name)
        rows = _rows(store, record, files)
    if since is not None:
        rows = [row for row in rows if row.permitted and (row.last_at or 0.0) < since]
    if output == "json":
        print_json({"id": record.id, "name": record.name, "pipelines": [row.as_json() for row in rows]})
        return
    empty = "every permit was used" if since is not None else "nothing names it, may use it, or has used it"
    print_table([row.as_row() for row in rows], ["pipeline", "named_at", "permitted", "uses", "last_used"], empty=empty)


@dataclass(slots=True, kw_only=True)
class UsageRow:
    """What is known of one pipeline and a resource; `permitted` is '' for no."""

    pipeline: str
    places: list[dict[str, str]] = field(default_factory=list)
    permitted: str = ""
    uses: int = 0
    last_at: float | None = None

    def as_row(self) -> dict[str, object]:
        more = f" and {len(self.places) - 1} more" if len(self.places) > 1 else ""
        return {
            "pipeline": self.pipeline,
            "named_at": f"{self.places[0]['where']}{more}" if self.places else "",
            "permitted": self.permitted or ("" if self.pipeline == _BY_HAND else "no"),
            "uses": self.uses or "",
            "last_used": as_time(self.last_at),
        }

    def as_json(self) -> dict[str, Any]:
        return {
            "pipeline": self.pipeline,
            "named": self.places,
            "permitted": self.permitted,
            "uses": self.uses,
            "lastUsed": as_time(self.last_at),
        }


def _rows(store: ConnectionStore, record: ConnectionRecord, files: Sequence[Path]) -> list[UsageRow]:
    from sluice.authorization.limits import Limits
    from sluice.runs import pipelines
    from sluice.storage import permissions, usage

    resource = permissions.Resource(record.project_id, record.id)
    with store.database.read() as transaction:
        known = pipelines.listed(transaction, record.project_id, store.guard)
        permits = permissions.of_resource(transaction, resource)
        used = usage.by_pipeline(transaction, record.id, project_id=record.project_id)
    names = {one.id: one.name for one in known}
    rows: dict[str, UsageRow] = {}

    def row(pipeline: str) -> UsageRow:
        return rows.setdefault(pipeline, UsageRow(pipeline=pipeline))

    sources = {one.source: one.name for one in known}
    for pipeline, use in _named(store, record, files, sources):
        row(pipeline).places.append(place_of_use(use))
    for permit in permits:
        who = names.get(permit.pipeline_id, f"pipeline {permit.pipeline_id}") if permit.pipeline_id else _ALL
        row(who).permitted = str(Limits.parse(permit.limits)) or "yes"
    for uses in used:
        who = names.get(uses.pipeline_id, f"pipeline {uses.pipeline_id}") if uses.pipeline_id else _BY_HAND
        row(who).uses, row(who).last_at = uses.count, uses.last_at
    for one in rows.values():
        if _ALL in rows and one.pipeline != _BY_HAND:
            one.permitted = one.permitted or f"as all: {rows[_ALL].permitted}"
    return list(rows.values())


def _named(
    store: ConnectionStore, record: ConnectionRecord, files: Sequence[Path], sources: Mapping[str, str]
) -> Iterator[tuple[str, ResourceUse]]:
    """The places of pipelines that name the connection."""
    from sluice.authorization.resources import ENDPOINT
    from sluice.connections import lookup

    for pipeline, use in uses_in(files, sources):
        if use.kind == ENDPOINT and not use.unresolved:
            with store.database.read() as transaction:
                found = lookup.find(transaction, record.project_id, use.name)
            if found is not None and found.id == record.id:
                yield pipeline, use


def uses_in(files: Sequence[Path], sources: Mapping[str, str]) -> Iterator[tuple[str, ResourceUse]]:
    """What pipelines name, with the pipeline: those of `files`, else of the files in `sources` (path -> pipeline)."""
    for file in files or [path for path in map(Path, sources) if path.is_file()]:
        yield from _uses_in(file, sources)


def _uses_in(file: Path, sources: Mapping[str, str]) -> Iterator[tuple[str, ResourceUse]]:
    """What a pipeline names; one that does not compile is told, and left out."""
    from sluice.cli.pipeline_file import asked_file
    from sluice.cli.session import task_catalogue
    from sluice.language.resources import stage_resources
    from sluice.runs.compiling import compile_file

    try:
        pipeline, given, identity = asked_file(file, (), ())
        plan = compile_file(pipeline, given, catalogue=task_catalogue(), identity=identity)
    except SluiceError as error:
        say(f"not looked at: {plain(error)}")
        return
    shown = sources.get(str(pipeline.path), pipeline.name)
    uses = dict.fromkeys(use for stage in plan.stages for use in stage_resources(plan, stage, task_catalogue()))
    for use in uses:
        yield shown, use


def place_of_use(use: ResourceUse) -> dict[str, str]:
    found = {"where": str(use.where), "job": use.job, "step": use.step, "task": use.task, "input": use.input}
    return {name: value for name, value in found.items() if value}


def _unused(store: ConnectionStore, project: str, since: float) -> list[dict[str, object]]:
    """The connections that are older than that, and that nobody has used since."""
    from sluice.cli.connection_view import permitted_pipelines
    from sluice.storage import projects, usage

    with store.database.read() as transaction:
        last = usage.last_uses(transaction, projects.find(transaction, project).id)
    return [
        {
            "name": record.name,
            "type": record.type,
            "last_used": as_time(last.get(record.id)),
            "created": as_time(record.created_at),
            "permitted": ", ".join(permitted_pipelines(store, record)),
        }
        for record in store.list(project)
        if last.get(record.id, 0.0) < since and record.created_at < since
    ]


def _print_unused(rows: list[dict[str, object]], output: str) -> None:
    if output == "json":
        print_json(rows)
        return
    columns = ["name", "type", "last_used", "created", "permitted"]
    print_table(rows, columns, empty="every service connection was used, or is newer than that")
