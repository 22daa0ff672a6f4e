"""Definitions of variables that change nothing: what is read-only or predefined keeps its value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.language.predefined_names import is_predefined

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sluice.errors import Location
    from sluice.language.plan import Plan, Variable
    from sluice.language.problems import Problems

    Fixed = Mapping[str, Location]


def note_fixed(plan: Plan, problems: Problems) -> None:
    """Note every definition in a pipeline that is not used, at its place."""
    root = _block(plan.variables, {}, problems)
    for stage in plan.stages:
        of_stage = _block(stage.variables, root, problems)
        for job in stage.jobs:
            of_job = _block(job.variables, of_stage, problems)
            matrix = job.strategy.matrix if job.strategy is not None else None
            for leg in matrix.values() if isinstance(matrix, dict) else ():
                for name, text in leg.items():
                    _note(name, text.where, of_job, problems)


def _block(variables: Iterable[Variable], fixed: Fixed, problems: Problems) -> Fixed:
    found = dict(fixed)
    for variable in variables:
        if variable.group:
            continue
        _note(variable.name, variable.value.where, found, problems)
        if variable.readonly:
            found.setdefault(variable.name.casefold(), variable.value.where)
    return found


def _note(name: str, where: Location, fixed: Fixed, problems: Problems) -> None:
    if is_predefined(name):
        problems.note_at(f"the variable '{name}' is predefined and read-only: this value is not used", where)
    elif first := fixed.get(name.casefold()):
        problems.note_at(f"the variable '{name}' is read-only (see {first}): this value is not used", where)
