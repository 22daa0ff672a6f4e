"""Pipelines: list, create, get, run, preview, and the runs of one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends
from starlette.responses import Response

from sluice.errors import NotFoundError
from sluice.language.plan import Plan
from sluice.language.unsupported import refuse_unsupported
from sluice.runs import pipelines, starting
from sluice.runs.compiling import Given, Identity, compile_file, find_file
from sluice.runs.pipeline_creation import create_pipeline, require_creator
from sluice.runs.template_repositories import templates_for
from sluice.secret import Secret
from sluice.server.problems import bad_argument
from sluice.server.rest.bodies import Body, Number, Top
from sluice.server.rest.call import Call, growing
from sluice.server.rest.lookups import pipeline_of, run_of
from sluice.server.rest.routing import call_of, resource
from sluice.server.rest.run_views import pipeline_view, run_view
from sluice.storage import runs
from sluice.storage.pipelines import Pipeline
from sluice.storage.projects import Project

router = resource("pipelines")
Here = Annotated[Call, Depends(call_of("28e1305e-2afe-47bf-abaf-cbb0e6a91988"))]
Runs = Annotated[Call, Depends(call_of("7859261e-d2e9-4a68-b820-a5d84cc5bb3d"))]
Preview = Annotated[Call, Depends(call_of("53df2d18-29ea-46a9-bee0-933540f80abf"))]

MAX_RUNS = 10_000
"""So many runs of a pipeline are listed, as the service does."""


class RepositoryBody(Body):
    """Where a new pipeline's YAML lies: `id` (or `name`) is the folder of a repository on the server's machine."""

    id: str = ""
    name: str = ""
    type: str = ""


class ConfigurationBody(Body):
    """A new pipeline's YAML: its path, from the repository's root where there is one."""

    type: str | int = "yaml"
    path: str = ""
    repository: RepositoryBody | None = None


class PipelineBody(Body):
    """A pipeline to be created."""

    name: str = ""
    folder: str | None = None
    configuration: ConfigurationBody


class VariableBody(Body):
    """A variable that is given with a run."""

    value: str | None = None
    isSecret: bool | None = None


class RepositoryResource(Body):
    """The state of a repository that a run is asked for."""

    refName: str | None = None
    version: str | None = None


class ResourcesBody(Body):
    """The resources that a run is asked for; `self` is the pipeline's own repository."""

    repositories: dict[str, RepositoryResource] | None = None


class RunBody(Body):
    """What a run is asked with."""

    previewRun: bool | None = None
    yamlOverride: str | None = None
    stagesToSkip: list[str] | None = None
    templateParameters: dict[str, Any] | None = None
    variables: dict[str, VariableBody] | None = None
    resources: ResourcesBody | None = None

    def asked(self) -> starting.Asked:
        """The same, as runs are started."""
        given = {name: one for name, one in (self.variables or {}).items() if one.value is not None}
        own = (self.resources.repositories or {}).get("self") if self.resources else None
        return starting.Asked(
            parameters=self.templateParameters or {},
            variables={name: one.value or "" for name, one in given.items() if not one.isSecret},
            secrets={name: Secret(one.value or "") for name, one in given.items() if one.isSecret},
            skipped=tuple(self.stagesToSkip or ()),
            branch=(own.refName or "") if own else "",
        )


_NO_RUN = RunBody()
_MAX_SHOWN = 200


@router.get("/{project}/_apis/pipelines", summary="The pipelines of a project")
def list_pipelines(call: Here, project: str, top: Top = None, continuationToken: str = "") -> Response:
    """List the pipelines that the caller sees, by name; `continuationToken` is the last name of the page before."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = list(pipelines.listed(transaction, home.id, call.caller.guard))
    found = [one for one in found if not continuationToken or one.name.casefold() > continuationToken.casefold()]
    found.sort(key=lambda one: one.name.casefold())
    page = found[:top] if top else found
    more = page[-1].name if page and len(page) < len(found) else ""
    return call.collection((pipeline_view(call, home, one) for one in page), continuation=more)


@router.post("/{project}/_apis/pipelines", summary="Create a pipeline")
def create(call: Here, project: str, body: PipelineBody) -> Response:
    """Make a file a pipeline, and permit it what it names now, as far as the caller may permit that."""
    home, made = create_of(call, project, body.name, body.configuration)
    return call.reply(pipeline_view(call, home, made, whole=True))


def create_of(call: Call, project: str, name: str, configuration: ConfigurationBody) -> tuple[Project, Pipeline]:
    """Make a file a pipeline of that name, or of the file's where none is given."""
    caller = call.caller
    orchestrator = caller.orchestrator
    with caller.database.read() as transaction:
        home = call.project(transaction, project)
    require_creator(orchestrator, home)  # before anything of the disk is looked at
    path = _path(configuration)
    file = find_file(path)
    chosen = name or file.name

    def identify() -> Pipeline:
        with orchestrator.database.read() as transaction:
            return pipelines.look_up(transaction, home.name, file)[1]

    def compiled() -> Plan:
        others = templates_for(orchestrator, identify, file.source, actor=caller.name)
        identity = Identity(pipeline=chosen, requested_by=caller.name, project=home.name, project_id=home.guid)
        plan = compile_file(file, Given(others=others), catalogue=orchestrator.tasks(), identity=identity)
        refuse_unsupported(plan)
        return plan

    return home, create_pipeline(orchestrator, home.name, chosen, file, compiled, by=caller.name).pipeline


@router.get("/{project}/_apis/pipelines/{pipelineId}", summary="A pipeline")
def get(call: Here, project: str, pipelineId: Number) -> Response:
    """Get a pipeline by its number."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = pipeline_of(call, transaction, home, pipelineId)
    return call.reply(pipeline_view(call, home, found, whole=True))


@router.post("/{project}/_apis/pipelines/{pipelineId}/runs", summary="Run a pipeline")
def run(call: Runs, project: str, pipelineId: Number, body: RunBody = _NO_RUN) -> Response:
    """Make a run, which goes on by itself; with `previewRun` only the YAML with everything expanded."""
    if body.previewRun:
        return _previewed(call, project, pipelineId, body)
    caller = call.caller
    with caller.database.read() as transaction:
        home = call.project(transaction, project)
        pipeline = pipeline_of(call, transaction, home, pipelineId)
    made = starting.start(caller.orchestrator, home, pipeline, body.asked(), by=caller.name)
    caller.state.go_on(made.id)
    return call.reply(run_view(call, home, made))


@router.post("/{project}/_apis/pipelines/{pipelineId}/preview", summary="Preview a run of a pipeline")
def preview(call: Preview, project: str, pipelineId: Number, body: RunBody = _NO_RUN) -> Response:
    """Answer the YAML with everything expanded; nothing is made."""
    return _previewed(call, project, pipelineId, body)


@router.get("/{project}/_apis/pipelines/{pipelineId}/runs", summary="The runs of a pipeline")
def list_runs(call: Runs, project: str, pipelineId: Number, top: Top = None) -> Response:
    """List the runs of a pipeline, newest first."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        pipeline = pipeline_of(call, transaction, home, pipelineId)
        wanted = runs.Wanted(pipeline_ids=(pipeline.id,))
        ids = runs.search_ids(transaction, home.id, wanted, limit=min(top or MAX_RUNS, MAX_RUNS))
    return call.listing(_listed(call, home, ids))


def _listed(call: Call, home: Project, ids: Sequence[int]) -> Iterator[list[dict[str, Any]]]:
    with call.caller.database.read() as transaction:
        for some in growing(ids):
            yield [run_view(call, home, run) for run in reversed(runs.get_many(transaction, some))]


@router.get("/{project}/_apis/pipelines/{pipelineId}/runs/{runId}", summary="A run")
def get_run(call: Runs, project: str, pipelineId: Number, runId: Number) -> Response:
    """Get a run."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = run_of(call, transaction, home, runId, pipeline_id=pipelineId)
    return call.reply(run_view(call, home, found))


def _previewed(call: Call, project: str, number: int, body: RunBody) -> Response:
    caller = call.caller
    with caller.database.read() as transaction:
        home = call.project(transaction, project)
        pipeline = pipeline_of(call, transaction, home, number)
    text = starting.preview(
        caller.orchestrator, home, pipeline, body.asked(), by=caller.name, text=body.yamlOverride or None
    )
    return call.reply({"finalYaml": text})


def _path(configuration: ConfigurationBody) -> Path:
    if str(configuration.type).casefold() not in {"yaml", "1"}:
        raise bad_argument("a pipeline here is a YAML file: configuration.type is 'yaml'")
    repository = configuration.repository
    root = Path(repository.id or repository.name) if repository else Path()
    written = configuration.path.strip()
    path = root / written.lstrip("/") if repository and root.is_absolute() else Path(written)
    if not written or not path.is_absolute():
        raise bad_argument(
            "a pipeline is a file on the server's machine: give configuration.path from the root of "
            "configuration.repository.id (a folder), or as an absolute path"
        )
    if not _is_file(path):
        raise NotFoundError(f"there is no file '{str(path)[:_MAX_SHOWN]}' on the server's machine")
    return path


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # such as a name that is too long for any file
        return False
