"""What the steps of a job ask of the server with the job's token: identity tokens, attachments, their timeline."""

from __future__ import annotations

import re
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from sluice.runs.left_behind import content
from sluice.runs.predefined import plan_id
from sluice.runtime.artifacts.packing import pack
from sluice.runtime.artifacts.walking import walk
from sluice.server.issuer import token_for
from sluice.server.problems import bad_argument, not_found, refused
from sluice.server.rest.bodies import storable
from sluice.server.rest.call import Call
from sluice.server.rest.envelope import as_date, encode
from sluice.server.rest.lookups import run_of
from sluice.server.rest.routing import call_of, resource
from sluice.server.rest.run_views import log_numbers, record_view
from sluice.storage import attachments, records, runs
from sluice.storage.attachments import AttachmentRow
from sluice.storage.blobs import Blobs
from sluice.storage.engine import Transaction
from sluice.storage.names import is_guid
from sluice.storage.projects import Project
from sluice.storage.runs import RunRow

router = resource("distributedtask")
Tokens = Annotated[Call, Depends(call_of("69a319f4-28c1-4bfd-93e6-ea0ff5c6f1a2"))]
OfPlan = Annotated[Call, Depends(call_of("eb55e5d6-2f30-4295-b5ed-38da50b1fc52"))]
OfRecord = Annotated[Call, Depends(call_of("7898f959-9cdf-4096-b29e-7f293031629e"))]
Records = Annotated[Call, Depends(call_of("8893bc5b-35b2-4be7-83cb-99e683551db4"))]

PLAN = "/{project}/_apis/distributedtask/hubs/{hub}/plans/{planId}"
RECORD = PLAN + "/timelines/{timelineId}/records/{recordId}"
MAX_ATTACHMENT = 4 << 20
MAX_OF_JOB = 1000
MAX_PLANS = 10_000
"""Of so many runs the plans are known to people: a plan's id is made of the run's number, which does not go back."""

_NAME = re.compile(r"[^\\/\x00-\x1f]{1,255}")


@router.post(PLAN + "/jobs/{jobId}/oidctoken", summary="An identity token for a connection of the job")
def oidc_token(
    call: Tokens, project: str, hub: str, planId: str, jobId: str, serviceConnectionId: str = ""
) -> Response:
    """Sign a token for a connection that a step of the very job which asks has open."""
    job = call.caller.job
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
    if job is None or job.run.project_id != home.id:
        raise refused("identity tokens are for jobs: ask with the job's System.AccessToken")
    if (plan_id(job.run.id), job.job.id) != (planId.casefold(), jobId.casefold()):
        raise refused("the token that asks is another job's")
    if not is_guid(serviceConnectionId):
        raise bad_argument("serviceConnectionId is no id of a service connection")
    token = token_for(call.caller.state, job, serviceConnectionId.strip().lower())
    return Response(encode({"oidcToken": token.reveal()}), media_type=call.media_type)


@router.get(PLAN + "/timelines/{timelineId}/records", summary="The timeline records of a plan")
def timeline_records(call: Records, project: str, hub: str, planId: str, timelineId: str) -> Response:
    """List the records of a run with the variables that they have set and that are no secrets."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = _run_of_plan(call, transaction, home, planId)
        found = records.of_run(transaction, run.id)
    base = f"{call.base}/{home.guid}/_apis/build/builds/{run.id}/logs"
    numbers = log_numbers(found)
    return call.collection(
        {
            **record_view(one, numbers, base),
            "variables": {name: {"value": value, "isSecret": False} for name, value in one.outputs.items()},
        }
        for one in found
    )


@router.put(RECORD + "/attachments/{type}/{name}", summary="Attach a file to a record")
async def attach(
    request: Request,
    call: OfRecord,
    project: str,
    hub: str,
    planId: str,
    timelineId: str,
    recordId: str,
    type: str,
    name: str,
) -> Response:
    """Keep a file with a step of the job that asks."""
    if not (_NAME.fullmatch(type) and _NAME.fullmatch(name) and storable(type + name)) or name in {".", ".."}:
        raise bad_argument("the type and the name of an attachment are names, not paths")
    body = await request.body()
    if len(body) > MAX_ATTACHMENT:
        raise bad_argument(f"an attachment has at most {MAX_ATTACHMENT} bytes")
    row, base = await run_in_threadpool(_attach, call, project, planId, recordId, type, name, body)
    return call.reply(_view(row, base))


@router.get(PLAN + "/attachments/{type}", summary="The attachments of a plan")
def of_plan(call: OfPlan, project: str, hub: str, planId: str, type: str) -> Response:
    """List the attachments of a run that are of a type."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = _run_of_plan(call, transaction, home, planId)
        found = attachments.of_run(transaction, run.id, type)
    return call.collection(_view(one, _base(call, home, run)) for one in found)


@router.get(RECORD + "/attachments/{type}", summary="The attachments of a record")
def of_record(
    call: OfRecord, project: str, hub: str, planId: str, timelineId: str, recordId: str, type: str
) -> Response:
    """List the attachments of a step that are of a type."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = _run_of_plan(call, transaction, home, planId)
        found = attachments.of_run(transaction, run.id, type)
    return call.collection(_view(one, _base(call, home, run)) for one in found if one.record_id == recordId.casefold())


@router.get(RECORD + "/attachments/{type}/{name}", summary="An attachment")
def get(
    request: Request,
    call: OfRecord,
    project: str,
    hub: str,
    planId: str,
    timelineId: str,
    recordId: str,
    type: str,
    name: str,
) -> Response:
    """Tell of an attachment, or answer its content to who asks for that."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = _run_of_plan(call, transaction, home, planId)
        found = attachments.of_run(transaction, run.id, type)
    row = next((one for one in found if (one.record_id, one.name) == (recordId.casefold(), name)), None)
    if row is None:
        raise not_found(f"there is no attachment '{name[:80]}': it does not exist.")
    if "octet-stream" not in request.headers.get("accept", ""):
        return call.reply(_view(row, _base(call, home, run)))
    return Response(
        content(Blobs(call.caller.state.home.content), row, row.size),
        media_type="application/octet-stream",
        headers={"content-disposition": "attachment"},
    )


def _attach(
    call: Call, project: str, plan: str, record_id: str, kind: str, name: str, body: bytes
) -> tuple[AttachmentRow, str]:
    job, state = call.caller.job, call.caller.state
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = _run_of_plan(call, transaction, home, plan)
        record = records.get(transaction, run.id, record_id.casefold())
        count = len(attachments.of_run(transaction, run.id))
    mine = record is not None and job is not None and job.job.id in {record.id, record.parent_id}
    if record is None or not mine:
        raise refused("a file is attached by the job that the step belongs to: ask with its System.AccessToken")
    if count >= MAX_OF_JOB:
        raise bad_argument(f"a run has at most {MAX_OF_JOB} attachments")
    blobs = Blobs(state.home.content)
    with TemporaryDirectory(dir=state.home.work) as folder:
        path = Path(folder) / "content"
        path.write_bytes(body)
        digest = blobs.put(pack(walk(path), blobs).encode())
    row = AttachmentRow(
        run_id=run.id,
        record_id=record.id,
        type=kind,
        name=name,
        manifest=digest,
        size=len(body),
        created_at=state.clock(),
    )
    with state.database.write() as transaction:
        attachments.put(transaction, row)
    return row, _base(call, home, run)


def _run_of_plan(call: Call, transaction: Transaction, home: Project, plan: str) -> RunRow:
    """The run of a plan: the job's own, or one that the caller sees."""
    number = 0
    if job := call.caller.job:
        number = job.run.id if plan_id(job.run.id) == plan.casefold() else 0
    elif is_guid(plan):
        wanted = plan.strip().casefold()
        newest = runs.newest_ids(transaction, home.id, limit=MAX_PLANS)
        number = next((one for one in newest if plan_id(one) == wanted), 0)
    if not number:
        raise not_found(f"there is no plan '{plan[:40]}': it does not exist.")
    return run_of(call, transaction, home, number)


def _base(call: Call, home: Project, run: RunRow) -> str:
    plan = plan_id(run.id)
    return f"{call.base}/{home.guid}/_apis/distributedtask/hubs/build/plans/{plan}/timelines/{plan}/records"


def _view(row: AttachmentRow, base: str) -> dict[str, Any]:
    url = f"{base}/{row.record_id}/attachments/{row.type}/{row.name}"
    return {
        "_links": {"self": {"href": url}},
        "type": row.type,
        "name": row.name,
        "timelineId": base.rsplit("/", 2)[1],
        "recordId": row.record_id,
        "createdOn": as_date(row.created_at),
        "lastChangedOn": as_date(row.created_at),
    }
