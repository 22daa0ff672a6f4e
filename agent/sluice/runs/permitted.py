"""Which pipelines may use a resource, by their names, as far as a person sees these."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.authorization.limits import Limits
from sluice.errors import NotPermittedError
from sluice.storage import permissions, pipelines
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.storage.engine import Transaction

ALL = "all pipelines"


@dataclass(frozen=True, slots=True)
class Permitted:
    """A permit: the pipeline's number (0 for all of them) and name, and the limits, '' for none."""

    pipeline_id: int
    name: str
    limits: str
    by: str
    at: float

    def __str__(self) -> str:
        return f"{self.name} ({self.limits})" if self.limits else self.name


def permitted(transaction: Transaction, guard: Guard, resource: permissions.Resource) -> list[Permitted]:
    """The permits of a resource, open access first; pipelines that the person does not see by their numbers."""
    names = _seen_names(transaction, guard, resource.project_id)
    return [
        Permitted(
            one.pipeline_id,
            ALL
            if one.pipeline_id == permissions.ALL_PIPELINES
            else names.get(one.pipeline_id, f"pipeline {one.pipeline_id}"),
            str(Limits.parse(one.limits)) if one.limits else "",
            one.authorized_by,
            one.authorized_at,
        )
        for one in permissions.of_resource(transaction, resource)
    ]


def _seen_names(transaction: Transaction, guard: Guard, project_id: int) -> dict[int, str]:
    try:
        seen = guard.seen(transaction, project_id, permissions.PIPELINE)
    except NotPermittedError:
        return {}  # an access token that does not speak of pipelines
    return {one.id: one.name for one in pipelines.listed(transaction, project_id) if seen(str(one.id))}
