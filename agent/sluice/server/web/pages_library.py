"""The library: variable groups and secure files of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from sluice.authorization.resources import SECURE_FILE, VARIABLE_GROUP
from sluice.library.secure_files import MAX_SIZE
from sluice.rights import Right
from sluice.server.problems import problem_of
from sluice.server.web.rendering import page
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed
from sluice.storage import projects, usage
from sluice.storage.permissions import Resource

if TYPE_CHECKING:
    from sluice.errors import SluiceError
    from sluice.server.caller import Caller

router = APIRouter(include_in_schema=False)


@router.get("/{project}/_library")
def library_page(request: Request, project: str, caller: Signed, view: str = "") -> Response:
    """The variable groups, or the secure files."""
    return show_library(request, caller, project, "files" if view == "files" else "groups")


def show_library(
    request: Request, caller: Caller, project: str, view: str, problem: SluiceError | None = None
) -> Response:
    """The list, with what was refused at its top where something was."""
    kind = SECURE_FILE if view == "files" else VARIABLE_GROUP
    with caller.database.read() as transaction:
        home = projects.find(transaction, project)
        used = usage.last_uses(transaction, home.id)
        hub = Resource(home.id, "", kind)
        refusal = why_not(lambda: caller.guard.require(transaction, Right.CREATE, hub))
    return page(
        request,
        "library.html",
        caller,
        project=home.name,
        active="library",
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        view=view,
        groups=caller.groups.list(project) if view == "groups" else (),
        files=caller.files.list(project) if view == "files" else (),
        used=used,
        refusal=refusal,
        most=MAX_SIZE,
    )
