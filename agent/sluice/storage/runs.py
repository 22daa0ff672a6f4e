"""Gateway of runs and of the sealed progress of their jobs."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field, fields
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, func, insert, select, update

from sluice.errors import SealError
from sluice.storage import tables
from sluice.storage.prepared import Prepared
from sluice.storage.run_tags import having_all
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_RUNS = tables.runs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run without its plan; `state` is inProgress or completed, `options` what the person asked for.

    `settled` is the entry of the audit log up to which it is known to merely wait (see `storage.settled`).
    """

    id: int
    project_id: int
    pipeline_id: int
    pipeline: str
    name: str
    state: str
    result: str
    cancel_requested_by: str
    requested_by: str
    created_at: float
    started_at: float | None = None
    finished_at: float | None = None
    settled: int | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    whole: bool = True
    """Whether what it was started with is what Sluice stored; where it is not, nothing of the run may be done."""


_COLUMNS = tuple(column.name for column in fields(RunRow) if column.name not in {"pipeline", "options", "whole"})


_QUERIED = (*_COLUMNS, "options", "code", "pipeline")


def _query() -> Any:  # SQLAlchemy's Select with its column types
    columns = [_RUNS.c[name] for name in _COLUMNS]
    return select(*columns, _RUNS.c.options, _RUNS.c.code, tables.pipelines.c.name.label("pipeline")).join(
        tables.pipelines, tables.pipelines.c.id == _RUNS.c.pipeline_id
    )


_ONE = Prepared(_query().where(_RUNS.c.id == bindparam("run")))
_MANY = _query().where(_RUNS.c.id.in_(bindparam("runs", expanding=True))).order_by(_RUNS.c.id)
_PLANS = select(_RUNS.c.id, _RUNS.c.plan, _RUNS.c.code).where(_RUNS.c.id.in_(bindparam("runs", expanding=True)))
_STATUS = Prepared(select(_RUNS.c.state, _RUNS.c.cancel_requested_by).where(_RUNS.c.id == bindparam("run")))


def add(
    tx: Transaction, *, project_id: int, pipeline_id: int, requested_by: str, options: Mapping[str, Any], at: float
) -> int:
    """Make a run without a plan yet and answer its id, which the plan's variables need."""
    values = {
        "project_id": project_id,
        "pipeline_id": pipeline_id,
        "name": "",
        "plan": "",
        "options": json.dumps(options, ensure_ascii=False),
        "state": "inProgress",
        "result": "",
        "cancel_requested_by": "",
        "requested_by": requested_by,
        "created_at": at,
    }
    return tx.insert(insert(_RUNS).values(values))


def set_plan(tx: Transaction, run_id: int, *, name: str, plan: str, options: Mapping[str, Any]) -> None:
    """Give a new run its number and its plan (JSON text)."""
    values = {"name": name, "plan": plan, "options": json.dumps(options, ensure_ascii=False)}
    tx.execute(update(_RUNS).where(_RUNS.c.id == run_id).values(values))
    _vouch(tx, run_id)


def set_options(tx: Transaction, run_id: int, options: Mapping[str, Any]) -> None:
    """Replace what a run was started with; raises `SealError` when it was changed outside of Sluice."""
    check(tx, run_id)
    change(tx, run_id, options=json.dumps(options, ensure_ascii=False), settled=None)
    _vouch(tx, run_id)


_CODED = ("id", "project_id", "pipeline_id", "requested_by", "created_at", "options")
_WITH_PLAN = select(*(_RUNS.c[name] for name in _CODED), _RUNS.c.plan, _RUNS.c.code)


def _vouch(tx: Transaction, run_id: int) -> None:
    *columns, plan, _ = tx.execute(_WITH_PLAN.where(_RUNS.c.id == run_id)).one()
    # two codes: the options are checked whenever the run is read, the plan, which may be large, when it is
    change(tx, run_id, code=f"{tx.voucher.code('run', *columns)} {tx.voucher.code('plan', run_id, plan)}")


def vouch_for_all(tx: Transaction) -> None:
    """Vouch for every run that is stored: when the key is made."""
    for run_id in tx.execute(select(_RUNS.c.id)).scalars().all():
        _vouch(tx, int(run_id))


def check(tx: Transaction, run_id: int) -> None:
    """Refuse a run whose plan, options, pipeline or requester are not what Sluice stored; raises `SealError`."""
    *columns, plan, code = tx.execute(_WITH_PLAN.where(_RUNS.c.id == run_id)).one()
    of_run, _, of_plan = code.partition(" ")
    if not (tx.voucher.vouches(of_run, "run", *columns) and tx.voucher.vouches(of_plan, "plan", run_id, plan)):
        raise tampered(run_id)


def broken(tx: Transaction) -> Iterator[str]:
    """The runs whose plan, options, pipeline or requester are not what was stored."""
    for run_id in tx.execute(select(_RUNS.c.id).order_by(_RUNS.c.id)).scalars().all():
        if not is_whole(tx, int(run_id)):
            yield f"run {run_id} is not as it was stored: somebody edited its plan or what it was started with"


def is_whole(tx: Transaction, run_id: int) -> bool:
    """Whether a run is as Sluice stored it."""
    try:
        check(tx, run_id)
    except SealError:
        return False
    return True


def tampered(run_id: int) -> SealError:
    """What is said of a run that was edited in the database."""
    return SealError(
        f"run {run_id} is not as it was stored, and does not go on",
        why="its plan or what it was started with was changed outside of Sluice",
        do=f"cancel it with 'sluice runs cancel {run_id}' and start a new one; see 'sluice audit verify'",
    )


def get(tx: Transaction, run_id: int) -> RunRow | None:
    """One run."""
    rows = tx.fetch(_ONE, {"run": run_id})
    return _row(tx, dict(zip(_QUERIED, rows[0], strict=True))) if rows else None


def get_many(tx: Transaction, run_ids: Sequence[int]) -> list[RunRow]:
    """Those of these runs that are there, oldest first."""
    return [_row(tx, dict(row)) for row in tx.execute(_MANY, {"runs": run_ids}).mappings()]


def unfinished(tx: Transaction, *, after: int, limit: int) -> list[int]:
    """The numbers of runs that are not over, behind that of one run, oldest first."""
    query = select(_RUNS.c.id).where(_RUNS.c.state == "inProgress", _RUNS.c.id > after)
    return list(tx.execute(query.order_by(_RUNS.c.id).limit(limit)).scalars())


def canceled(tx: Transaction) -> list[int]:
    """The numbers of runs that are not over, and that somebody has canceled."""
    query = select(_RUNS.c.id).where(_RUNS.c.state == "inProgress", _RUNS.c.cancel_requested_by != "")
    return list(tx.execute(query.order_by(_RUNS.c.id)).scalars())


def newest_ids(tx: Transaction, project_id: int, *, limit: int) -> list[int]:
    """The numbers of the newest runs of a project, newest first."""
    query = select(_RUNS.c.id).where(_RUNS.c.project_id == project_id).order_by(_RUNS.c.id.desc()).limit(limit)
    return list(tx.execute(query).scalars())


def newest_id(tx: Transaction) -> int:
    """The number of the newest run; 0 when there is none."""
    return tx.value(select(func.max(_RUNS.c.id))) or 0


@dataclass(frozen=True, slots=True)
class Status:
    """How far a run is; `canceled` as soon as somebody asked for it."""

    completed: bool
    canceled: bool


def status(tx: Transaction, run_id: int) -> Status:
    """How far a run is: less to read than the run itself."""
    [(state, canceled_by)] = tx.fetch(_STATUS, {"run": run_id})
    return Status(state == "completed", bool(canceled_by))


def plan(tx: Transaction, run_id: int) -> str:
    """The plan's JSON text; raises `SealError` when it is not the one that was stored."""
    check(tx, run_id)
    return str(tx.execute(select(_RUNS.c.plan).where(_RUNS.c.id == run_id)).scalar_one())


def plans(tx: Transaction, run_ids: Sequence[int]) -> Iterator[tuple[int, str]]:
    """The plans' JSON texts of many runs; raises `SealError` for one that is not as it was stored."""
    for run_id, text, code in tx.rows(_PLANS, {"runs": run_ids}):
        if not tx.voucher.vouches(code.partition(" ")[2], "plan", run_id, text):
            raise tampered(run_id)
        yield run_id, text


def newest_plan_with(tx: Transaction, pipeline_id: int, text: str) -> str | None:
    """The JSON text of the pipeline's newest plan in which a text stands; None when there is none."""
    holds = _RUNS.c.plan.contains(text, autoescape=True)
    query = select(_RUNS.c.plan).where(_RUNS.c.pipeline_id == pipeline_id, holds).order_by(_RUNS.c.id.desc()).limit(1)
    found = tx.value(query)
    return None if found is None else str(found)


def newest(tx: Transaction, project_id: int, *, limit: int, tags: Collection[str] = ()) -> list[RunRow]:
    """The newest runs of a project (those with all these tags), newest first."""
    query = _query().where(_RUNS.c.project_id == project_id)
    if tags:
        query = query.where(having_all(tags))
    query = query.order_by(_RUNS.c.id.desc()).limit(limit)
    return [_row(tx, dict(row)) for row in tx.execute(query).mappings()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which runs are looked for: all that is given has to fit. `before` is a run's number, times are seconds.

    `pipeline_ids` is None where every pipeline will do. `state` and `results` are as stored.
    """

    pipeline_ids: Collection[int] | None = None
    ids: Collection[int] | None = None
    before: int = 0
    name: str = ""
    state: str = ""
    results: Collection[str] = ()
    requested_by: str = ""
    since: float | None = None
    until: float | None = None
    tags: Collection[str] = ()
    oldest_first: bool = False


def search(tx: Transaction, project_id: int, wanted: Wanted, *, limit: int) -> list[RunRow]:
    """The runs of a project that fit, newest first unless it is asked otherwise."""
    ids = search_ids(tx, project_id, wanted, limit=limit)
    by_id = {run.id: run for run in get_many(tx, ids)}
    return [by_id[run_id] for run_id in ids]


def search_ids(tx: Transaction, project_id: int, wanted: Wanted, *, limit: int) -> list[int]:
    """The numbers of the runs of a project that fit, newest first unless it is asked otherwise."""
    query = select(_RUNS.c.id).where(_RUNS.c.project_id == project_id)
    for condition in _conditions(wanted):
        query = query.where(condition)
    query = query.order_by(_RUNS.c.id if wanted.oldest_first else _RUNS.c.id.desc()).limit(limit)
    return list(tx.execute(query).scalars())


def _conditions(wanted: Wanted) -> Iterator[Any]:
    for column, values in ((_RUNS.c.pipeline_id, wanted.pipeline_ids), (_RUNS.c.id, wanted.ids)):
        if values is not None:
            yield column.in_(list(values))
    if wanted.before:
        yield _RUNS.c.id > wanted.before if wanted.oldest_first else _RUNS.c.id < wanted.before
    for column, value in (
        (_RUNS.c.name, wanted.name),
        (_RUNS.c.state, wanted.state),
        (_RUNS.c.requested_by, wanted.requested_by),
    ):
        if value:
            yield column == value
    if wanted.results:
        yield _RUNS.c.result.in_(list(wanted.results))
    if wanted.since is not None:
        yield _RUNS.c.created_at >= wanted.since
    if wanted.until is not None:
        yield _RUNS.c.created_at <= wanted.until
    if wanted.tags:
        yield having_all(wanted.tags)


def unfinished_of_pipeline(tx: Transaction, pipeline_id: int) -> list[int]:
    """Ids of a pipeline's runs that are not over, oldest first."""
    query = select(_RUNS.c.id).where(_RUNS.c.pipeline_id == pipeline_id, _RUNS.c.state != "completed")
    return [int(run_id) for run_id in tx.execute(query.order_by(_RUNS.c.id)).scalars()]


def of_pipeline(tx: Transaction, pipeline_id: int) -> list[int]:
    """Ids of all runs of a pipeline, oldest first."""
    query = select(_RUNS.c.id).where(_RUNS.c.pipeline_id == pipeline_id)
    return [int(run_id) for run_id in tx.execute(query.order_by(_RUNS.c.id)).scalars()]


def change(tx: Transaction, run_id: int, **values: Any) -> None:
    """Set columns of a run, such as state and result."""
    tx.execute(update(_RUNS).where(_RUNS.c.id == run_id).values(values))


def _row(tx: Transaction, row: Mapping[str, Any]) -> RunRow:
    values = {name: row[name] for name in (*_COLUMNS, "pipeline")}
    of_run, _, _ = row["code"].partition(" ")
    whole = not tx.voucher.missing and tx.voucher.vouches(of_run, "run", *(row[name] for name in _CODED))
    return RunRow(**values, options=json.loads(row["options"]), whole=whole)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedRow:
    """Something sealed: a job's progress after so many steps (`step` of 0 and up), its secret outputs (-1), or a run's (-2)."""

    run_id: int
    job_id: str
    step: int
    key_id: str
    wrapped_key: bytes
    sealed: bytes


OUTPUTS = -1
"""The `step` of a row that holds a job's secret outputs."""

SECRETS = -2
"""The `step` of a run's own row (its job is '') that holds the secrets given when it was queued."""


def save_sealed(tx: Transaction, row: SealedRow) -> None:
    """Store a sealed row in place of an earlier one for the same step."""
    tx.run(_DROP_SEALED, {"run": row.run_id, "job": row.job_id, "at": row.step})
    tx.run(_ADD_SEALED, {name: getattr(row, name) for name in _SEALED})


def sealed(tx: Transaction, run_id: int, job_id: str, step: int) -> SealedRow | None:
    """The sealed row of that step."""
    table = tables.job_progress
    row = tx.execute(select(table).where(*_same(run_id, job_id), table.c.step == step)).mappings().first()
    return SealedRow(**row) if row else None


def newest_progress(tx: Transaction, run_id: int, job_id: str) -> SealedRow | None:
    """The progress after the last finished step, if any step finished."""
    rows = tx.fetch(_NEWEST_PROGRESS, {"run": run_id, "job": job_id})
    return SealedRow(**dict(zip(_SEALED, rows[0], strict=True))) if rows else None


def drop_progress(tx: Transaction, run_id: int, job_id: str) -> None:
    """Remove a job's progress, once nothing can go on from it."""
    tx.run(_DROP_PROGRESS, {"run": run_id, "job": job_id})


def all_sealed(tx: Transaction) -> list[SealedRow]:
    """Every sealed row, for the rotation of keys."""
    return [SealedRow(**row) for row in tx.execute(select(tables.job_progress)).mappings()]


def _same(run_id: int, job_id: str) -> tuple[Any, Any]:
    table = tables.job_progress
    return table.c.run_id == run_id, table.c.job_id == job_id


_PROGRESS = tables.job_progress
_SEALED = tuple(column.name for column in fields(SealedRow))
_ADD_SEALED = Prepared(insert(_PROGRESS), columns=_SEALED)
_OF_JOB = (_PROGRESS.c.run_id == bindparam("run"), _PROGRESS.c.job_id == bindparam("job"))
_DROP_SEALED = Prepared(delete(_PROGRESS).where(*_OF_JOB, _PROGRESS.c.step == bindparam("at")))
_DROP_PROGRESS = Prepared(delete(_PROGRESS).where(*_OF_JOB, _PROGRESS.c.step >= 0))
_NEWEST_PROGRESS = Prepared(
    select(*(_PROGRESS.c[name] for name in _SEALED))
    .where(*_OF_JOB, _PROGRESS.c.step >= 0)
    .order_by(_PROGRESS.c.step.desc())
    .limit(1)
)
