"""Gateway of counters: `counter(prefix, seed)` and the revision of run names, kept per pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from sluice.storage import tables

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction

_TABLE = tables.counters


def next_value(tx: Transaction, pipeline_id: int, kind: str, prefix: str, seed: int) -> int:
    """The next value: `seed` the first time, then one more than before; never lower than before."""
    same = (_TABLE.c.pipeline_id == pipeline_id, _TABLE.c.kind == kind, _TABLE.c.prefix == prefix)
    last = tx.value(select(_TABLE.c.value).where(*same))
    if last is None:
        tx.execute(
            insert(_TABLE).values(pipeline_id=pipeline_id, kind=kind, prefix=prefix, value=seed),
        )
        return seed
    value = max(int(last) + 1, seed)
    tx.execute(update(_TABLE).where(*same).values(value=value))
    return value


def once_a_run(tx: Transaction, pipeline_id: int, run_id: int, prefix: str, seed: int) -> int:
    """The value of `counter(prefix, seed)` in a run: counted the first time it is asked for, the same ever after."""
    kind = f"run {run_id}"
    same = (_TABLE.c.pipeline_id == pipeline_id, _TABLE.c.kind == kind, _TABLE.c.prefix == prefix)
    kept = tx.value(select(_TABLE.c.value).where(*same))
    if kept is not None:
        return int(kept)
    value = next_value(tx, pipeline_id, "counter", prefix, seed)
    return next_value(tx, pipeline_id, kind, prefix, value)
