"""Creates a pipeline, and permits it what its YAML names at that moment, as far as the creator may use that.

Documented (reference: authorization model, section 2). A pipeline that comes to be by a first run of its file is not
created in this sense: to run a file is not to vouch for what it names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sluice.authorization.resources import Known
from sluice.connections.guard import Guard, require_permit
from sluice.connections.homes import home_for
from sluice.errors import ConflictError, NotPermittedError, UsageError
from sluice.language.resources import stage_resources
from sluice.rights import Right
from sluice.runs.access import assess_needs
from sluice.runs.creation import need_of_use, protected
from sluice.runs.pipelines import resource_of
from sluice.runs.repositories import RepositoryPendingError
from sluice.storage import audit, permissions, pipelines
from sluice.storage.names import clean_name, hidden_characters
from sluice.storage.permissions import PIPELINE, Resource
from sluice.storage.refusals import RefusedError
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.authorization.resources import Need
    from sluice.language.plan import Plan
    from sluice.runs.compiling import PipelineFile
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.engine import Transaction
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.projects import Project

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
    compiled: Callable[[], Plan],
    *,
    by: str,
    grant: bool = True,
) -> CreatedPipeline:
    """Make the file a pipeline of that name, and grant it what its plan names unless `grant` is false.

    `compiled` compiles it; it is called again once a repository that templates lie in is permitted. Raises
    `ConflictError` when the name is taken or the file is a pipeline already, `NotPermittedError` for who may not create
    pipelines, and (with the pipeline made) for who may not permit such a repository.
    """
    creation = _Creation(orchestrator, project, name, file, by)
    plan = creation.compile(compiled) if grant else compiled()
    needs = [
        need_of_use(use, stage.name)
        for stage in plan.stages
        for use in protected(stage_resources(plan, stage, orchestrator.tasks()))
    ]
    with orchestrator.database.write() as transaction:
        pipeline = creation.register(transaction)
        if not grant or not needs:
            return CreatedPipeline(pipeline=pipeline, granted=tuple(creation.granted))
        assessment = assess_needs(transaction, orchestrator.store, pipeline.project_id, pipeline.id, needs)
        left = [one.resource for one in assessment.pending if not creation.grant(transaction, one.resource)]
    missing = tuple(refusal.need for refusal in assessment.refusals)
    return CreatedPipeline(pipeline=pipeline, granted=tuple(creation.granted), left=tuple(left), missing=missing)


def require_creator(orchestrator: Orchestrator, project: Project) -> None:
    """Raise `NotPermittedError`, which is audited, unless the person may create pipelines in the project.

    To be asked before a file is looked at that somebody else's machine has: what a compilation complains of tells what
    stands in it.
    """
    with orchestrator.database.write() as transaction:
        orchestrator.store.guard.require(transaction, Right.CREATE, Resource(project.id, "", PIPELINE))


class _Creation:
    """One creation: the pipeline once it is made, and what it was granted."""

    def __init__(self, orchestrator: Orchestrator, project: str, name: str, file: PipelineFile, by: str) -> None:
        self.granted: list[Known] = []
        self._orchestrator = orchestrator
        self._asked = (project, name, file)
        self._by = by
        self._made: Pipeline | None = None

    def register(self, transaction: Transaction) -> Pipeline:
        """The pipeline, made the first time."""
        if self._made is None:
            guard, now = self._orchestrator.store.guard, self._orchestrator.clock()
            self._made = _register(transaction, guard, *self._asked, by=self._by, at=now)
        return self._made

    def compile(self, compiled: Callable[[], Plan]) -> Plan:
        """The plan; repositories of templates are permitted on the way, since they are read on the way."""
        while True:
            try:
                return compiled()
            except RepositoryPendingError as pending:
                with self._orchestrator.database.write() as transaction:
                    self.register(transaction)
                    known = Known(id=pending.resource.id, name=pending.name, kind=pending.resource.type)
                    granted = self.grant(transaction, known)
                if not granted:
                    raise

    def grant(self, transaction: Transaction, known: Known) -> bool:
        """Permit the pipeline a resource; False when the person may not."""
        guard, pipeline = self._orchestrator.store.guard, self.register(transaction)
        resource = Resource(pipeline.project_id, known.id, known.kind)
        if not _may_permit(transaction, guard, resource, known.name, pipeline.id):
            return False
        permissions.grant(transaction, resource, pipeline.id, by=self._by, at=self._orchestrator.clock())
        self.granted.append(known)
        return True


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
