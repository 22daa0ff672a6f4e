"""Opens the variable groups of jobs that start, and only then: permitted, audited, with their secrets.

What a reference names may lie on another machine, so it is fetched before the transaction that starts the job; in that
transaction the permit is asked for again, and the use is recorded with the start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sluice.authorization.resources import Known, Need, Pending
from sluice.errors import NotPermittedError, PermissionPendingError, SluiceError
from sluice.language.plan import Variable
from sluice.language.resources import group_name
from sluice.library import lookup
from sluice.library.group import OpenedGroup, VariableGroup
from sluice.runs.access import assess_needs
from sluice.runs.groups import as_variables, job_needs, may_use
from sluice.runs.identifiers import shown
from sluice.runs.job_request import Position
from sluice.runs.orchestrator import Loaded, Orchestrator
from sluice.runs.passing import Passing
from sluice.runs.predefined import origin_of
from sluice.runs.variables import Groups
from sluice.runtime.request import JobVariable
from sluice.secret import Secret
from sluice.storage import permissions, usage
from sluice.storage.engine import Transaction

Fetched = Mapping[tuple[str, int], Mapping[str, Secret] | SluiceError]
"""What the references of groups name, by the group's id and version; or why that could not be had."""


class GroupsPendingError(PermissionPendingError):
    """Nobody has permitted the variable groups that a job needs: those in `pending`."""

    def __init__(self, pending: Sequence[Pending]) -> None:
        super().__init__("the job waits for variable groups")
        self.pending = tuple(pending)


class Opener:
    """Opens variable groups for the jobs of one run."""

    def __init__(self, orchestrator: Orchestrator) -> None:
        self._orchestrator = orchestrator

    def to_fetch(self, transaction: Transaction, loaded: Loaded, positions: Iterable[Position]) -> list[VariableGroup]:
        """The groups whose references have to be fetched for these jobs: only what is permitted is."""
        run = loaded.run
        origin = origin_of(run.options, run.pipeline)
        needs = [need for one in positions for need in job_needs(loaded.plan, one.stage, one.job)]
        found: dict[str, VariableGroup] = {}
        for name, stage in sorted({(need.name, need.stage) for need in needs}):
            group = lookup.find(transaction, run.project_id, name)
            if group and group.references and may_use(transaction, group, run.pipeline_id, stage, origin):
                found[group.id] = group
        return list(found.values())

    def fetch(self, groups: Iterable[VariableGroup]) -> Fetched:
        """What the references of groups name, read now; not to be called in a transaction."""
        return {(group.id, group.version): self._fetch(group) for group in groups}

    def _fetch(self, group: VariableGroup) -> Mapping[str, Secret] | SluiceError:
        try:
            return self._orchestrator.groups.fetch(group)
        except SluiceError as error:
            return error

    def open(
        self,
        transaction: Transaction,
        loaded: Loaded,
        position: Position,
        fetched: Fetched,
        *,
        has_progress: bool = False,
    ) -> Groups:
        """The groups of a job with all their values, for its request.

        Raises `GroupsPendingError` when one is not permitted (any more), and another `SluiceError` when one does not
        exist or cannot be opened. A job that goes on where it stopped has its values already: nothing is opened then.
        """
        run = loaded.run
        needs = job_needs(loaded.plan, position.stage, position.job)
        assessment = assess_needs(
            transaction,
            self._orchestrator.store,
            run.project_id,
            run.pipeline_id,
            needs,
            origin_of(run.options, run.pipeline),
        )
        if assessment.refusals:
            raise NotPermittedError(" ".join(map(str, assessment.refusals)))
        if assessment.pending:
            raise GroupsPendingError(assessment.pending)
        self._require_passed(transaction, loaded, position, assessment.permitted, needs)
        if has_progress:
            return loaded.evaluation.groups
        return self._opened(transaction, loaded, position, needs, fetched)

    def _require_passed(
        self,
        transaction: Transaction,
        loaded: Loaded,
        position: Position,
        permitted: Sequence[Known],
        needs: Sequence[Need],
    ) -> None:
        """Raise unless the checks of the groups passed for this attempt of the stage."""
        passing = Passing(
            run_id=loaded.run.id,
            stage=position.stage.name,
            attempt=position.stage_record.attempt,
            job_id=position.record.id,
        )
        late: list[Pending] = []
        for one in permitted:
            resource = permissions.Resource(loaded.run.project_id, one.id, one.kind)
            try:
                passing.require(transaction, resource, one.name, one.version)
            except PermissionPendingError:
                late.append(Pending(resource=one, needs=tuple(needs)))
        if late:
            raise GroupsPendingError(late)

    def _opened(
        self, transaction: Transaction, loaded: Loaded, position: Position, needs: Sequence[Need], fetched: Fetched
    ) -> Groups:
        run = loaded.run
        use = usage.Use(
            project_id=run.project_id,
            actor=run.requested_by,
            pipeline_id=run.pipeline_id,
            run_id=run.id,
            stage=position.stage.name,
            job=shown(position.record.identifier),
            step_id=position.record.id,
        )
        opened: dict[str, list[JobVariable]] = {}
        groups = {need.name: lookup.get(transaction, run.project_id, need.name) for need in needs}
        for group in {group.id: group for group in groups.values()}.values():
            opened[group.id] = as_variables(self._open(transaction, group, fetched, use))

        def come_in(variable: Variable) -> Iterable[JobVariable]:
            return opened[groups[group_name(loaded.plan, variable)].id]

        return come_in

    def _open(self, transaction: Transaction, group: VariableGroup, fetched: Fetched, use: usage.Use) -> OpenedGroup:
        values = fetched.get((group.id, group.version))
        if isinstance(values, SluiceError):
            raise values
        if values is None:  # without references; or changed this very moment
            values = self._orchestrator.groups.fetch(group)
        return self._orchestrator.groups.open_in(transaction, group, values, use)
