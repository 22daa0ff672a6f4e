"""Starts runs of pipelines that are known already: what they are asked with, and the file that they are read from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.authorization.trust import is_pull_request
from sluice.errors import UsageError
from sluice.rights import Right
from sluice.runs.checkouts import pinned
from sluice.runs.compiling import Given, Identity, compile_file, find_file, preview_file
from sluice.runs.creation import NewRun, create
from sluice.runs.pipelines import resource_of
from sluice.runs.selection import select
from sluice.runs.task_changes import void_permits
from sluice.runs.template_repositories import templates_for
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.runs.compiling import PipelineFile
    from sluice.runs.orchestrator import Orchestrator
    from sluice.runs.template_repositories import TemplateRepositories
    from sluice.secret import Secret
    from sluice.storage.engine import Transaction
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.projects import Project
    from sluice.storage.runs import RunRow


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is asked with. `branch` is '' for what is checked out, `skipped` are stages that are left out.

    `reason` is what `Build.Reason` tells.
    """

    parameters: Mapping[str, object] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    stages: Sequence[str] = ()
    skipped: Sequence[str] = ()
    branch: str = ""
    reason: str = "Manual"


def start(orchestrator: Orchestrator, project: Project, pipeline: Pipeline, asked: Asked, *, by: str) -> RunRow:
    """Make a run of a pipeline; it goes on without a terminal.

    Raises `PipelineError` where it does not compile, and `PermissionPendingError` where a repository that templates
    lie in is not permitted.
    """
    _require_user(orchestrator, pipeline)
    orchestrator.store.check_key()  # a key that cannot be used keeps the run from being made
    file = _file(pipeline, asked)
    others = _others(orchestrator, pipeline, file, by=by)
    plan = _compiled(orchestrator, project, pipeline, file, asked, others, by=by)

    def prepare(transaction: Transaction, new: NewRun) -> NewRun:
        void_permits(transaction, plan, pipeline, by=by, at=orchestrator.clock())
        return new

    new = NewRun(
        plan=_chosen(plan, asked),
        project=project,
        pipeline=pipeline,
        source=file.source,
        email=file.email,
        requested_by=by,
        variables=asked.variables,
        secrets=asked.secrets,
        repositories=pinned(others.commits),
        detached=True,
        reason=asked.reason,
    )
    return create(orchestrator, new, prepare=prepare)


def preview(
    orchestrator: Orchestrator, project: Project, pipeline: Pipeline, asked: Asked, *, by: str, text: str | None = None
) -> str:
    """The pipeline (or `text` in its place) with everything expanded, as YAML; for who may start it.

    What it extends or includes is read with the pipeline's permits, and `text` may name any repository.
    """
    _require_user(orchestrator, pipeline)
    file = _file(pipeline, asked)
    others = _others(orchestrator, pipeline, file, by=by, looking=True)
    given = Given(parameters=asked.parameters, others=others)
    identity = _identity(project, pipeline, by=by)
    return preview_file(file, given, catalogue=orchestrator.tasks(), identity=identity, text=text)


def _require_user(orchestrator: Orchestrator, pipeline: Pipeline) -> None:
    """Raise `NotPermittedError`, which is audited, unless the person may start the pipeline; before anything is read."""
    with orchestrator.database.write() as transaction:
        orchestrator.store.guard.require(transaction, Right.USE, resource_of(pipeline), pipeline.name)


def _compiled(
    orchestrator: Orchestrator,
    project: Project,
    pipeline: Pipeline,
    file: PipelineFile,
    asked: Asked,
    others: TemplateRepositories,
    *,
    by: str,
) -> Plan:
    given = Given(parameters=asked.parameters, others=others)
    return compile_file(file, given, catalogue=orchestrator.tasks(), identity=_identity(project, pipeline, by=by))


def _chosen(plan: Plan, asked: Asked) -> Plan:
    """The plan without what is left out."""
    if not asked.skipped:
        return select(plan, asked.stages)
    left_out = {name.casefold() for name in asked.skipped}
    select(plan, asked.skipped)  # refuses names of nothing
    kept = [stage.name for stage in plan.stages if stage.name.casefold() not in left_out]
    if not kept:
        raise UsageError("every stage of the pipeline is to be skipped", do="leave one")
    return select(plan, asked.stages or kept)


def _file(pipeline: Pipeline, asked: Asked) -> PipelineFile:
    """The file, of the branch that is asked for: that which is checked out there, or a pull request's."""
    file = find_file(Path(pipeline.source))
    wanted = asked.branch
    if not wanted or wanted in {file.source.branch, file.source.branch.removeprefix("refs/heads/")}:
        return file
    if is_pull_request(wanted):
        return replace(file, source=replace(file.source, branch=wanted))
    raise UsageError(
        f"the branch '{wanted}' is not checked out at '{file.source.root}'",
        why=f"'{file.source.branch}' is",
        do="check it out there, or leave the branch out",
    )


def _others(
    orchestrator: Orchestrator, pipeline: Pipeline, file: PipelineFile, *, by: str, looking: bool = False
) -> TemplateRepositories:
    return templates_for(orchestrator, lambda: pipeline, file.source, actor=by, looking=looking)


def _identity(project: Project, pipeline: Pipeline, *, by: str) -> Identity:
    return Identity(
        pipeline=pipeline.name,
        pipeline_id=pipeline.id,
        project=project.name,
        project_id=project.guid,
        requested_by=by,
    )
