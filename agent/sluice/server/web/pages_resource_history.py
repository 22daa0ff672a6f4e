"""What a resource was used for: the usage history of what holds secrets, the deployments of an environment."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from sluice.authorization.resources import ENVIRONMENT
from sluice.server.web import words
from sluice.server.web.rendering import page
from sluice.server.web.resources import shown
from sluice.server.web.signed import Signed
from sluice.storage import environments, usage

router = APIRouter(include_in_schema=False)

LIMIT = 100
MAX_LIMIT = 6400


@router.get("/{project}/_resources/{kind}/{resource}/history")
def history_page(
    request: Request,
    project: str,
    kind: str,
    resource: str,
    caller: Signed,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = LIMIT,
) -> Response:
    """The uses of a resource, newest first."""
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, kind, resource)
        if kind == ENVIRONMENT:
            found = environments.find(transaction, about.resource.project_id, about.resource.id)
            deployments = environments.history(transaction, found, limit=limit) if found else ()
            uses: list[tuple[words.Look, Any]] = [(_look(one.result), one) for one in deployments]
        else:
            used = usage.history(transaction, about.resource.id, project_id=about.resource.project_id, limit=limit)
            uses = [(_look(one.result), one) for one in used]
    return page(
        request,
        "resource_history.html",
        caller,
        project=about.project,
        active=about.area[0],
        about=about,
        tab="history",
        uses=uses,
        deployments=kind == ENVIRONMENT,
        limit=limit,
        more=len(uses) == limit < MAX_LIMIT,
    )


def _look(result: str) -> words.Look:
    return words.result_look(result) if result else words.RUNNING
