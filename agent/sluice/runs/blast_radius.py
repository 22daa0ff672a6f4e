"""What the deletion of a service connection would break."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.runs.permitted import permitted
from sluice.storage import check_configurations, connections, permissions, projects
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.store import ConnectionStore

SHOWN = 5
"""So many pipelines that used it last are named."""

_USES = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """Whom it concerns. `checks_through_it` are the numbers of checks of other resources that ask with it."""

    pipelines: tuple[str, ...]
    dependants: tuple[str, ...]
    uses: int
    last_used: float | None
    last_used_by: tuple[str, ...]
    checks: int
    checks_through_it: tuple[int, ...]
    shared_with: tuple[str, ...]


def blast_radius(store: ConnectionStore, record: ConnectionRecord) -> BlastRadius:
    """What would break without a connection."""
    resource = permissions.Resource(record.project_id, record.id)
    uses = store.history(record, limit=_USES)
    with store.database.read() as transaction:
        places = connections.projects_of(transaction, record.id)
        others = [projects.get(transaction, number).name for number, _ in places if number != record.project_id]
        checks = check_configurations.of_resource(transaction, resource)
        every = check_configurations.listed(transaction, record.project_id)
        pipelines = [str(one) for one in permitted(transaction, store.guard, resource)]
    return BlastRadius(
        pipelines=tuple(pipelines),
        dependants=tuple(store.dependants(record)),
        uses=len(uses),
        last_used=uses[0].started_at if uses else None,
        last_used_by=tuple(dict.fromkeys(one.pipeline for one in uses if one.pipeline))[:SHOWN],
        checks=len(checks),
        checks_through_it=tuple(one.id for one in every if record.id in one.settings.values()),
        shared_with=tuple(others),
    )
