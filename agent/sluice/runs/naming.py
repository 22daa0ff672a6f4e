"""What a plan names: a Permit that is given with a run is for that and nothing else, since it stays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.connections import lookup
from sluice.errors import UsageError
from sluice.language.resources import stage_resources
from sluice.storage import permissions, projects, repositories
from sluice.storage.names import name_key

if TYPE_CHECKING:
    from sluice.connections.catalogue import Catalogue
    from sluice.language.plan import Plan
    from sluice.language.tasks import TaskCatalogue
    from sluice.storage.engine import Transaction


def is_named(
    transaction: Transaction,
    plan: Plan,
    resource: permissions.Resource,
    name: str,
    *,
    tasks: TaskCatalogue,
    connections: Catalogue,
    variables: Mapping[str, str],
) -> bool:
    """Whether a plan names a resource, itself or through a connection that goes through it.

    A name that is known only at run time may be any: where one of that kind is written, every resource counts as named.
    """
    uses = [
        use
        for stage in plan.stages
        for use in stage_resources(plan, stage, tasks, variables)
        if use.kind == resource.type and not use.elsewhere
    ]
    if any(use.unresolved for use in uses):
        return True
    if {name_key(name), name_key(resource.id)} & {name_key(use.name) for use in uses}:
        return True
    if resource.type == permissions.REPOSITORY:
        home = projects.get(transaction, resource.project_id)
        return any(repositories.resource_of(home, use.name) == resource for use in uses)
    if resource.type != permissions.ENDPOINT:
        return False
    found = [lookup.find(transaction, resource.project_id, one) for one in {use.name for use in uses}]
    return any(
        one.id == resource.id for first in found if first for one in lookup.chain(transaction, first, connections)
    )


def own_repository(
    transaction: Transaction, plan: Plan, project_id: int, name: str, *, tasks: TaskCatalogue
) -> permissions.Resource | None:
    """The repository of the project that a plan names so, by its name or id; None when it names none."""
    home = projects.get(transaction, project_id)
    try:
        meant = repositories.get(home, name)
    except UsageError:
        return None
    uses = (use for stage in plan.stages for use in stage_resources(plan, stage, tasks))
    named = (use.name for use in uses if use.kind == permissions.REPOSITORY and not use.elsewhere)
    return meant if any(repositories.resource_of(home, one) == meant for one in named) else None
