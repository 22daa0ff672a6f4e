"""Secure files: uploaded, looked at from outside, deleted; nobody gets one back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.responses import RedirectResponse, Response

from sluice.authorization.resources import SECURE_FILE
from sluice.errors import SecureFileInvalidError, SluiceError
from sluice.library.secure_files import MAX_SIZE
from sluice.rights import Right
from sluice.runs.permitted import permitted
from sluice.server.problems import problem_of
from sluice.server.web.entry import text_of
from sluice.server.web.pages_library import show_library
from sluice.server.web.rendering import home_of, page
from sluice.server.web.resources import shown
from sluice.server.web.reviews import why_not
from sluice.server.web.signed import Signed

if TYPE_CHECKING:
    from sluice.server.caller import Caller

router = APIRouter(include_in_schema=False)


@router.post("/{project}/_library/files")
async def upload(request: Request, project: str, caller: Signed) -> Response:
    """Store a secure file; it goes nowhere but into the store, and to jobs that may have it."""
    async with request.form() as form:
        sent = form.get("file")
        content = await sent.read(MAX_SIZE + 1) if isinstance(sent, UploadFile) else b""
        named = (sent.filename or "") if isinstance(sent, UploadFile) else ""
        name = text_of(form, "name").strip() or named.replace("\\", "/").rpartition("/")[2]
    return await run_in_threadpool(_upload, request, caller, project, name, content)


@router.get("/{project}/_library/files/{file}")
def file_page(request: Request, project: str, file: str, caller: Signed) -> Response:
    """A secure file: everything but what is in it."""
    return _file(request, caller, project, file)


@router.post("/{project}/_library/files/{file}/delete")
def delete_file(request: Request, project: str, file: str, caller: Signed) -> Response:
    """Delete a secure file and its permits."""
    try:
        caller.files.delete(project, file, by=caller.name)
    except SluiceError as error:
        return _file(request, caller, project, file, error)
    return RedirectResponse(f"{home_of(caller, project)}/_library?view=files", 303)


def _upload(request: Request, caller: Caller, project: str, name: str, content: bytes) -> Response:
    try:
        if not content:
            raise SecureFileInvalidError("no file was chosen, or it is empty")
        made = caller.files.upload(project, name, content, by=caller.name)
    except SluiceError as error:
        return show_library(request, caller, project, "files", error)
    return RedirectResponse(f"{home_of(caller, project)}/_library/files/{made.id}", 303)


def _file(request: Request, caller: Caller, project: str, file: str, problem: SluiceError | None = None) -> Response:
    found = caller.files.get(project, file)
    with caller.database.read() as transaction:
        about = shown(transaction, caller, project, SECURE_FILE, found.id)
        permits = permitted(transaction, caller.guard, about.resource)
        require = caller.guard.require
        remove = why_not(lambda: require(transaction, Right.DELETE, about.resource, about.name))
    return page(
        request,
        "secure_file.html",
        caller,
        project=about.project,
        active="library",
        status=problem_of(problem).status if problem else 200,
        problem=problem,
        about=about,
        tab="overview",
        file=found,
        permits=permits,
        remove=remove,
    )
