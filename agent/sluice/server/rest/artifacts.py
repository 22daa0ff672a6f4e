"""What runs have published: list, tell of one, download one as an archive; and stages that are run again or canceled."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Query
from starlette.background import BackgroundTask
from starlette.responses import FileResponse, Response

from sluice.errors import ConflictError
from sluice.runs.left_behind import download
from sluice.runs.retrying import retry
from sluice.server.problems import bad_argument, not_found
from sluice.server.rest.bodies import Body, Number, choice
from sluice.server.rest.call import Call, nothing
from sluice.server.rest.lookups import run_of
from sluice.server.rest.routing import call_of, resource
from sluice.storage import artifacts, records
from sluice.storage.artifacts import ArtifactRow
from sluice.storage.blobs import Blobs

if TYPE_CHECKING:
    from sluice.storage.projects import Project
    from sluice.storage.runs import RunRow

router = resource("build")
Here = Annotated[Call, Depends(call_of("1db06c96-014e-44e1-ac91-90b2d4b3e984"))]
OfRun = Annotated[Call, Depends(call_of("85023071-bd5e-4438-89b0-2a5bf362a19d"))]
Stages = Annotated[Call, Depends(call_of("b8aac6c9-744b-46e1-88fc-3550969f9313"))]
Format = Annotated[str, Query(alias="$format")]
Name = Annotated[str, Query(max_length=1024)]
_STATES = ("cancel", "retry")


class StageBody(Body):
    """What is to become of a stage."""

    state: str | int | None = None
    forceRetryAllJobs: bool | None = None


@router.get("/{project}/_apis/build/builds/{buildId}/artifacts", summary="The artifacts of a build")
def listed(call: Here, project: str, buildId: Number, artifactName: Name = "", format: Format = "json") -> Response:
    """List the artifacts of a build; or tell of one, or answer it as an archive."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = run_of(call, transaction, home, buildId)
        if not artifactName:
            found = artifacts.of_run(transaction, run.id)
            return call.collection([_view(call, home, run, one) for one in found])
        row = artifacts.find(transaction, run.id, artifactName)
    if row is None:
        raise not_found(f"Artifact {artifactName[:80]} was not found for build {run.id}.", "ArtifactNotFoundException")
    return _archive(call, row) if format.casefold() == "zip" else call.reply(_view(call, home, run, row))


@router.get("/{project}/_apis/pipelines/{pipelineId}/runs/{runId}/artifacts", summary="An artifact of a run")
def of_run(call: OfRun, project: str, pipelineId: Number, runId: Number, artifactName: Name) -> Response:
    """Tell of an artifact of a run, and where it is downloaded."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = run_of(call, transaction, home, runId, pipeline_id=pipelineId)
        row = artifacts.find(transaction, run.id, artifactName)
    if row is None:
        raise not_found(f"Artifact {artifactName[:80]} was not found for run {run.id}.", "ArtifactNotFoundException")
    shown = _view(call, home, run, row)
    return call.reply(
        {"name": row.name, "url": shown["url"], "signedContent": {"url": shown["resource"]["downloadUrl"]}}
    )


@router.patch("/{project}/_apis/build/builds/{buildId}/stages/{stageRefName}", summary="Run a stage again")
def change_stage(call: Stages, project: str, buildId: Number, stageRefName: str, body: StageBody) -> Response:
    """Run what failed of a finished build again, with the stage that is named."""
    caller = call.caller
    with caller.database.read() as transaction:
        home = call.project(transaction, project)
        run = run_of(call, transaction, home, buildId)
        stages = records.of_run(transaction, run.id, kinds=("Stage",))
    if stageRefName.casefold() not in {one.ref_name.casefold() for one in stages}:
        raise not_found(f"Stage {stageRefName[:80]} does not exist.")
    state = choice(body.state, _STATES)
    if state == "cancel":
        raise ConflictError("a stage is not canceled alone", do="cancel the build, or deny what its stage waits for")
    if state != "retry":
        raise bad_argument("'state' is 'retry'")
    retry(caller.orchestrator, run.id)
    caller.state.go_on(run.id)
    return nothing()


def _archive(call: Call, row: ArtifactRow) -> Response:
    """The files of an artifact as a zip archive, made for this answer and forgotten after it."""
    state = call.caller.state
    folder = Path(tempfile.mkdtemp(prefix="artifact-", dir=state.home.work))
    try:
        target, _ = download(Blobs(state.home.content), row, folder)
        archive = shutil.make_archive(str(folder / "archive"), "zip", root_dir=folder, base_dir=target.name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(
        archive,
        media_type="application/zip",
        filename=f"{row.name}.zip",
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )


def _view(call: Call, home: Project, run: RunRow, row: ArtifactRow) -> dict[str, Any]:
    url = f"{call.base}/{home.guid}/_apis/build/builds/{run.id}/artifacts?artifactName={quote(row.name, safe='')}"
    return {
        "id": 0,
        "name": row.name,
        "source": row.record_id,
        "url": url,
        "resource": {
            "type": row.type,
            "data": row.location or row.manifest,
            "properties": {**row.properties, "artifactsize": str(row.size)},
            "url": url,
            "downloadUrl": f"{url}&$format=zip",
        },
    }
