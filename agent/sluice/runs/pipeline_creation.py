"""Creates a pipeline, and permits it what its YAML names at that moment, as far as the creator may use that.

Documented (reference: authorization model, section 2). A pipeline that comes to be by a first run of its file is not
created in this sense: to run a file is not to vouch for what it names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.connections.guard import Guard, require_permit
from sluice.connections.homes import home_for
from sluice.errors import ConflictError, NotPermittedError, UsageError
from sluice.language.resources import stage_resources
from sluice.rights import Right
from sluice.runs.access import assess_needs
from sluice.runs.creation import need_of_use, protected
from sluice.runs.pipelines import resource_of
from sluice.storage import audit, permissions, pipelines
from sluice.storage.names import clean_name, hidden_characters
from sluice.storage.permissions import PIPELINE, Resource
from sluice.storage.refusals import RefusedError

if TYPE_CHECKING:
    from sluice.authorization.resources import Known, Need
    from sluice.language.plan import Plan
    from sluice.runs.compiling import PipelineFile
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.engine import Transaction
    from sluice.storage.pipelines import Pipeline

MAX_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatedPipeline:
    """A pipeline that was created: what it was permitted, what is left to somebody else, and names of nothing."""

    pipeline: Pipeline
    granted: tuple[Known, ...] = ()
    left: tuple[Known, ...] = ()
    missing: tuple[Need, ...] = ()


def create_pipeline(
    orchestrator: Orchestrator,
    project: str,
    name: str,
    file: PipelineFile,
    plan: Plan,
    *,
    by: str,
    grant: bool = True,
) -> CreatedPipeline:
    """Make the file a pipeline of that name, and grant it what `plan` names unless `grant` is false.

    Raises `ConflictError` when the name is taken or the file is a pipeline already, `NotPermittedError` for who may not
    create pipelines.
    """
    guard = orchestrator.store.guard
    needs = [
        need_of_use(use, stage.name)
        for stage in plan.stages
        for use in protected(stage_resources(plan, stage, orchestrator.tasks()))
    ]
    with orchestrator.database.write() as transaction:
        pipeline = _register(transaction, guard, project, name, file, by=by, at=orchestrator.clock())
        if not grant or not needs:
            return CreatedPipeline(pipeline=pipeline)
        assessment = assess_needs(transaction, orchestrator.store, pipeline.project_id, pipeline.id, needs)
        granted, left = [], []
        for pending in assessment.pending:
            known = pending.resource
            resource = Resource(pipeline.project_id, known.id, known.kind)
            if _may_permit(transaction, guard, resource, known.name, pipeline.id):
                permissions.grant(transaction, resource, pipeline.id, by=by, at=orchestrator.clock())
                granted.append(known)
            else:
                left.append(known)
    missing = tuple(refusal.need for refusal in assessment.refusals)
    return CreatedPipeline(pipeline=pipeline, granted=tuple(granted), left=tuple(left), missing=missing)


def _register(
    transaction: Transaction, guard: Guard, project: str, name: str, file: PipelineFile, *, by: str, at: float
) -> Pipeline:
    home = home_for(transaction, guard, project, at=at)
    guard.require(transaction, Right.CREATE, Resource(home.id, "", PIPELINE))
    cleaned = clean_name(name)
    if not cleaned or len(cleaned) > MAX_NAME or hidden_characters(cleaned):
        raise UsageError(f"'{cleaned[:80]}' is no name for a pipeline", do="choose a name of words")
    if known := pipelines.by_source(transaction, home.id, str(file.path)):
        raise ConflictError(
            f"{file.shown} is the pipeline '{known.name}' already",
            do=f"permit it what it needs: sluice connection permit NAME --pipeline '{known.name}'",
        )
    if pipelines.free_name(transaction, home.id, cleaned) != cleaned:
        raise ConflictError(f"the pipeline '{cleaned}' exists already", do="choose another name")
    made = pipelines.ensure(transaction, home, name=cleaned, source=str(file.path), by=by, at=at)
    guard.created(transaction, resource_of(made), made.name, at=at)
    return made


def _may_permit(transaction: Transaction, guard: Guard, resource: Resource, name: str, pipeline_id: int) -> bool:
    try:
        require_permit(guard, transaction, resource, name, pipeline_id)
    except RefusedError as refused:
        audit.append(transaction, refused.event)
        return False  # documented: just no automatic grant
    except NotPermittedError:
        return False  # an access token without the scope
    return True
