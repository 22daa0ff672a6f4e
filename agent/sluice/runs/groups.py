"""Variable groups of a run: what its blocks name, and what may be read of them before a job starts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sluice.authorization.limits import Limits
from sluice.authorization.resources import VARIABLE_GROUP, Need
from sluice.authorization.trust import TRUSTED_RUN, RunOrigin
from sluice.language.plan import Job, Plan, Stage, Variable
from sluice.language.resources import group_name
from sluice.library import lookup
from sluice.library.group import OpenedGroup, VariableGroup
from sluice.library.store import resource_of
from sluice.runtime.request import JobVariable
from sluice.secret import Secret
from sluice.storage import permissions
from sluice.storage.engine import Transaction

_COMPUTED = ("$(", "$[")


def has_groups(variables: Iterable[Variable]) -> bool:
    """Whether a group comes in somewhere in a block."""
    return any(variable.group for variable in variables)


def uses_groups(plan: Plan) -> bool:
    """Whether any group comes in anywhere in a pipeline."""
    jobs = (job for stage in plan.stages for job in stage.jobs)
    blocks = (plan.variables, *(stage.variables for stage in plan.stages), *(job.variables for job in jobs))
    return any(map(has_groups, blocks))


def job_needs(plan: Plan, stage: Stage, job: Job) -> list[Need]:
    """The variable groups of a job: those of the root, of its stage, and its own."""
    return [
        Need(
            name=group_name(plan, variable),
            kind=VARIABLE_GROUP,
            stage=stage.name,
            job=job.name,
            where=str(variable.value.where),
        )
        for variable in (*plan.variables, *stage.variables, *job.variables)
        if variable.group
    ]


def may_use(transaction: Transaction, group: VariableGroup, pipeline_id: int, stage: str, origin: RunOrigin) -> bool:
    """Whether a pipeline is permitted to use a group in a stage of a run from there."""
    permits = permissions.standing(transaction, resource_of(group), pipeline_id)
    limits = (Limits.parse(one.limits) for one in permits)
    return any(not one.exceeded_by(stage=stage, branch=origin.branch, task="") for one in limits)


class StoredGroups:
    """The groups as they are stored, for conditions and what else is decided before a job starts.

    Public values only: of secrets it is known that there is one, the value reads as ''. What a pipeline is not
    permitted to use there (`origin`) is kept from conditions by `locked`.
    """

    def __init__(
        self,
        transaction: Transaction,
        plan: Plan,
        project_id: int,
        pipeline_id: int,
        origin: RunOrigin = TRUSTED_RUN,
    ) -> None:
        self._transaction = transaction
        self._plan = plan
        self._project_id = project_id
        self._pipeline_id = pipeline_id
        self._origin = origin
        self._found: dict[str, VariableGroup | None] = {}

    def __call__(self, variable: Variable) -> Iterator[JobVariable]:
        """See `sluice.runs.variables.Groups`."""
        group = self._group(variable)
        if group is None:
            return
        for name in group.names():
            yield JobVariable(name=name, value=group.variables.get(name, Secret("")))

    def locked(self, given: Iterable[JobVariable], block: Iterable[Variable], stage: str) -> frozenset[str]:
        """The names (casefolded) of variables that may hold something of a group that the stage may not use yet.

        `given` are the variables below the block. Nothing is locked while every group of the block is permitted.
        """
        block = tuple(block)
        closed = [variable for variable in block if variable.group and not self._permitted(variable, stage)]
        if not closed:
            return frozenset()
        locked = {one.name.casefold() for one in given if isinstance(one.value, str) and _is_computed(one.value)}
        for variable in block:
            if variable.group:
                names = {one.name.casefold() for one in self(variable)}
                locked = locked | names if variable in closed else locked - names
            elif _is_computed(variable.value.value):
                locked.add(variable.name.casefold())
            else:
                locked.discard(variable.name.casefold())
        return frozenset(locked)

    def _permitted(self, variable: Variable, stage: str) -> bool:
        group = self._group(variable)
        return group is None or may_use(self._transaction, group, self._pipeline_id, stage, self._origin)

    def _group(self, variable: Variable) -> VariableGroup | None:
        name = group_name(self._plan, variable)
        if name not in self._found:
            self._found[name] = lookup.find(self._transaction, self._project_id, name)
        return self._found[name]


def as_variables(group: OpenedGroup) -> list[JobVariable]:
    """The variables of a group that was opened for a job."""
    return [JobVariable(name=name, value=value) for name, value in group.variables.items()]


def _is_computed(text: str) -> bool:
    return any(mark in text for mark in _COMPUTED)
