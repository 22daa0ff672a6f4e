"""Secure files: list, get, upload, delete. What is in one never leaves through here: jobs get it, and nobody else."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sluice.errors import NotFoundError
from sluice.library import secure_files
from sluice.library.secure_files import MAX_SIZE
from sluice.server.problems import not_found
from sluice.server.rest.call import Call, nothing
from sluice.server.rest.envelope import as_date, identity_ref
from sluice.server.rest.routing import call_of, resource
from sluice.storage.secure_files import FileRow

router = resource("securefiles")
Here = Annotated[Call, Depends(call_of("adcfd8bc-b184-43ba-bd84-7c8c6a2ff421"))]
FILES = "/{project}/_apis/distributedtask/securefiles"

LIMIT = MAX_SIZE + 1024
"""Bytes that a request to upload a file may have."""


@router.get(FILES, summary="The secure files of a project")
def listed(
    call: Here, project: str, namePattern: str = "", secureFileIds: str = "", secureFileNames: str = ""
) -> Response:
    """List the files that the caller sees, by name."""
    from fnmatch import fnmatchcase

    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
    ids = {text.strip().casefold() for text in secureFileIds.split(",") if text.strip()}
    names = {text.strip().casefold() for text in secureFileNames.split(",") if text.strip()}
    found = [
        one
        for one in call.caller.files.list(home.name)
        if (not ids or one.id in ids)
        and (not names or one.name.casefold() in names)
        and (not namePattern or fnmatchcase(one.name.casefold(), namePattern.casefold().replace("[", "[[]")))
    ]
    return call.collection(_view(call, one) for one in found)


@router.get(FILES + "/{secureFileId}", summary="A secure file")
def get(call: Here, project: str, secureFileId: str) -> Response:
    """Tell of a file, but for what is in it."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        try:
            found = secure_files.get(transaction, home.id, secureFileId, call.caller.guard)
        except NotFoundError:
            raise _missing(secureFileId) from None
    return call.reply(_view(call, found))


@router.post(FILES, summary="Upload a secure file")
async def upload(
    request: Request,
    call: Here,
    project: str,
    name: Annotated[str, Query(max_length=1024)],
    authorizePipelines: bool = False,
) -> Response:
    """Store the body of the request as a file of that name, up to 10 MB."""
    content = await request.body()

    def store() -> Response:
        with call.caller.database.read() as transaction:
            home = call.project(transaction, project)
        made = call.caller.files.upload(home.name, name, content, by=call.caller.name, all_pipelines=authorizePipelines)
        return call.reply(_view(call, made))

    return await run_in_threadpool(store)


@router.delete(FILES + "/{secureFileId}", summary="Delete a secure file")
def delete(call: Here, project: str, secureFileId: str) -> Response:
    """Delete a file with its permits."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
    try:
        call.caller.files.delete(home.name, secureFileId, by=call.caller.name)
    except NotFoundError:
        raise _missing(secureFileId) from None
    return nothing()


def _missing(identity: str) -> Exception:
    return not_found(f"Secure file {identity[:80]} does not exist.", "SecureFileNotFoundException")


def _view(call: Call, one: FileRow) -> dict[str, Any]:
    person = identity_ref(call.base, one.created_by)
    return {
        "id": one.id,
        "name": one.name,
        "createdBy": person,
        "createdOn": as_date(one.created_at),
        "modifiedBy": person,
        "modifiedOn": as_date(one.created_at),
        "properties": {},
    }
