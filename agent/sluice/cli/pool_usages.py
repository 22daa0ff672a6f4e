"""`sluice pool usages`: where pipelines name a pool, which may use it, and which have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.cli.connection_usages import UsageRow, place_of_use, uses_in
from sluice.cli.installation import guard_of
from sluice.cli.output import print_json, print_table

if TYPE_CHECKING:
    from sluice.storage.engine import Database
    from sluice.storage.pools import Pool

_ALL = "all pipelines"


def print_usages(database: Database, pool: Pool, files: Sequence[Path], output: str) -> None:
    """Print what is known of each pipeline and the pool."""
    rows = _rows(database, pool, files)
    if output == "json":
        print_json({"id": pool.id, "name": pool.name, "pipelines": [row.as_json() for row in rows]})
        return
    columns = ["pipeline", "named_at", "permitted", "uses", "last_used"]
    print_table([row.as_row() for row in rows], columns, empty="nothing names it, may use it, or has used it")


def _rows(database: Database, pool: Pool, files: Sequence[Path]) -> list[UsageRow]:
    from sluice.authorization.limits import Limits
    from sluice.authorization.resources import QUEUE
    from sluice.runs import pipelines
    from sluice.storage import permissions, pools
    from sluice.storage.names import name_key

    with database.read() as transaction:
        known = pipelines.listed(transaction, pool.project_id, guard_of(database))
        permits = permissions.of_resource(transaction, pools.resource_of(pool))
        used = pools.uses(transaction, pool)
    names = {one.id: one.name for one in known}
    rows: dict[str, UsageRow] = {}

    def row(pipeline: str) -> UsageRow:
        return rows.setdefault(pipeline, UsageRow(pipeline=pipeline))

    for pipeline, use in uses_in(files, {one.source: one.name for one in known}):
        if use.kind == QUEUE and name_key(use.name) == name_key(pool.name):
            row(pipeline).places.append(place_of_use(use))
    for permit in permits:
        who = names.get(permit.pipeline_id, f"pipeline {permit.pipeline_id}") if permit.pipeline_id else _ALL
        row(who).permitted = str(Limits.parse(permit.limits)) or "yes"
    for uses in used:
        one = row(names.get(uses.pipeline_id, f"pipeline {uses.pipeline_id}"))
        one.uses, one.last_at = uses.count, uses.last_at
    for one in rows.values():
        if _ALL in rows:
            one.permitted = one.permitted or f"as all: {rows[_ALL].permitted}"
    return list(rows.values())
