"""Pipelines: a pipeline is the file that it is read from; permits belong to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy
from sqlalchemy import ColumnElement, select

from sluice.errors import NotFoundError, SealError
from sluice.storage import actions, audit, projects
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, name_key
from sluice.storage.tables import counters, pipeline_settings, pipelines, runs
from sluice.storage.tables_artifacts import caches
from sluice.values import dataclass

MAX_DIGITS = 18
"""What every database takes as a number of a row."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline; `source` tells where its YAML lies (an absolute path)."""

    id: int
    project_id: int
    name: str
    source: str


def get(transaction: Transaction, pipeline_id: int) -> Pipeline:
    """The pipeline of that number; raises `NotFoundError`."""
    found = _one(transaction, pipelines.c.id == pipeline_id)
    if found is None:
        raise NotFoundError(f"there is no pipeline {pipeline_id}")
    return found


def look_up(transaction: Transaction, project_id: int, name: str) -> Pipeline | None:
    """The pipeline that a person names: by name (ignoring case), number, or the path of its file."""
    criteria: list[ColumnElement[bool]] = [pipelines.c.name_key == name_key(name), pipelines.c.source == name]
    if name.strip().isdecimal() and len(name) <= MAX_DIGITS:
        criteria.append(pipelines.c.id == int(name))
    for criterion in criteria:
        if found := _one(transaction, pipelines.c.project_id == project_id, criterion):
            return found
    return None


def find(transaction: Transaction, project_id: int, name: str) -> Pipeline:
    """As `look_up`; raises `NotFoundError` with the nearest name."""
    if found := look_up(transaction, project_id, name):
        return found
    raise not_found(name, [pipeline.name for pipeline in listed(transaction, project_id)])


def not_found(name: str, known: list[str]) -> NotFoundError:
    """That there is no such pipeline, with the nearest of those that are known."""
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return NotFoundError(
        f"there is no pipeline '{name}'",
        do=f"did you mean '{near[0]}'?" if near else "one that has never been run is named by the path of its file",
    )


def by_source(transaction: Transaction, project_id: int, source: str) -> Pipeline | None:
    """The pipeline that is read from `source`, if it has been run before."""
    return _one(transaction, pipelines.c.project_id == project_id, pipelines.c.source == source)


def ensure(
    transaction: Transaction, project: projects.Project, *, name: str, source: str, by: str, at: float
) -> Pipeline:
    """The pipeline that is read from `source`, made when it is new.

    When another one has the name already, a number is added to it: permits must never go to a namesake.
    """
    if found := by_source(transaction, project.id, source):
        return found
    chosen = free_name(transaction, project.id, name)
    row = {
        "project_id": project.id,
        "name": chosen,
        "name_key": name_key(chosen),
        "source": source,
        "created_at": at,
    }
    number = transaction.insert(sqlalchemy.insert(pipelines).values(**row))
    pipeline = Pipeline(number, project.id, chosen, source)
    _vouch(transaction, pipeline)
    details = {"PipelineName": chosen, "PipelineId": pipeline.id, "ProjectName": project.name}
    audit.append(
        transaction,
        audit.Event(action=actions.PIPELINE_CREATED, actor=by, at=at, project_id=project.id, details=details),
    )
    return pipeline


def delete(transaction: Transaction, pipeline: Pipeline, *, by: str, at: float) -> None:
    """Delete a pipeline with its runs (documented), variables, counters and caches; its permits are the caller's.

    What the audit log and the usage history of connections say of it stays.
    """
    query = select(pipeline_settings.c.id).where(pipeline_settings.c.pipeline_id == pipeline.id)
    settings = str(transaction.value(query) or "")
    for table in (runs, pipeline_settings, counters, caches):
        transaction.execute(sqlalchemy.delete(table).where(table.c.pipeline_id == pipeline.id))
    transaction.execute(sqlalchemy.delete(pipelines).where(pipelines.c.id == pipeline.id))
    project = projects.get(transaction, pipeline.project_id)
    details = {"PipelineName": pipeline.name, "PipelineId": pipeline.id, "ProjectName": project.name}
    event = audit.Event(
        action=actions.PIPELINE_DELETED, actor=by, at=at, project_id=project.id, resource_id=settings, details=details
    )
    audit.append(transaction, event)


def free_name(transaction: Transaction, project_id: int, name: str) -> str:
    """The name that a new pipeline gets: with a number added when another one has it."""
    base, number = clean_name(name), 1
    chosen = base
    while _one(transaction, pipelines.c.project_id == project_id, pipelines.c.name_key == name_key(chosen)):
        number += 1
        chosen = f"{base} ({number})"
    return chosen


def listed(transaction: Transaction, project_id: int) -> tuple[Pipeline, ...]:
    """The pipelines of a project, by name."""
    query = _QUERY.where(pipelines.c.project_id == project_id).order_by(pipelines.c.name_key)
    return tuple(Pipeline(*row[:-2]) for row in transaction.rows(query))


def vouch_for_all(transaction: Transaction) -> None:
    """Vouch for every pipeline that is stored: when the key is made."""
    for row in transaction.rows(_QUERY):
        _vouch(transaction, Pipeline(*row[:-2]))


def broken(transaction: Transaction) -> Iterator[str]:
    """The pipelines that are not as they were stored."""
    for *columns, key, code in transaction.rows(_QUERY.order_by(pipelines.c.id)):
        if not transaction.voucher.vouches(code, _KIND, *_parts(Pipeline(*columns), key)):
            yield f"pipeline {columns[0]} is not as it was stored: somebody edited its name, project or file"


def _vouch(transaction: Transaction, pipeline: Pipeline) -> None:
    code = transaction.voucher.code(_KIND, *_parts(pipeline, name_key(pipeline.name)))
    transaction.execute(sqlalchemy.update(pipelines).where(pipelines.c.id == pipeline.id).values(code=code))


def _parts(pipeline: Pipeline, key: str) -> tuple[object, ...]:
    return pipeline.id, pipeline.project_id, pipeline.name, key, pipeline.source


_KIND = "pipeline"
_CODE = (pipelines.c.name_key, pipelines.c.code)
_QUERY = select(pipelines.c.id, pipelines.c.project_id, pipelines.c.name, pipelines.c.source, *_CODE)


def _one(transaction: Transaction, *criteria: Any) -> Pipeline | None:
    row = transaction.row(_QUERY.where(*criteria))
    if row is None:
        return None
    *columns, key, code = row
    pipeline = Pipeline(*columns)
    if not transaction.voucher.vouches(code, _KIND, *_parts(pipeline, key)):
        # its permits belong to the file that it was made for
        raise SealError(
            f"the pipeline '{pipeline.name}' ({pipeline.id}) is not as it was stored",
            why="its record was changed outside of Sluice",
            do="see 'sluice audit verify'",
        )
    return pipeline
