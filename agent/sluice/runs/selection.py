"""A plan cut down to the stages and jobs that a person wants to run. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from sluice.errors import UsageError
from sluice.language.plan import Job, Plan, Stage
from sluice.runs.identifiers import DEFAULT

Unit = TypeVar("Unit", Stage, Job)


def select(plan: Plan, stages: Sequence[str] = (), jobs: Sequence[str] = ()) -> Plan:
    """The plan with only the stages, and only the jobs, that are named; all when none are.

    A dependency on what is left out is dropped, and a stage that waits to be started by hand does not wait: whoever
    names a stage wants to run it now. Raises `UsageError` for a
    name that the pipeline does not have.
    """
    kept = _kept(plan.stages, stages, "stage")
    if stages:
        kept = tuple(replace(stage, manual=False) for stage in kept)
    if jobs:
        names = {job.name for stage in kept for job in stage.jobs}
        _refuse_unknown(jobs, names, "job")
        kept = tuple(replace(stage, jobs=_cut(stage.jobs, jobs)) for stage in kept)
        kept = tuple(stage for stage in kept if stage.jobs)
    return replace(plan, stages=_cut(kept, [stage.name for stage in kept]))


def _kept(units: tuple[Unit, ...], names: Sequence[str], kind: str) -> tuple[Unit, ...]:
    if not names:
        return units
    _refuse_unknown(names, {unit.name for unit in units}, kind)
    return _cut(units, names)


def _cut(units: tuple[Unit, ...], names: Iterable[str]) -> tuple[Unit, ...]:
    wanted = {name.casefold() for name in names}
    return tuple(
        replace(unit, depends_on=tuple(name for name in unit.depends_on if name.casefold() in wanted))
        for unit in units
        if unit.name.casefold() in wanted
    )


def _refuse_unknown(names: Iterable[str], known: Iterable[str], kind: str) -> None:
    by_key = {name.casefold(): name for name in known}
    for name in names:
        if name.casefold() not in by_key:
            near = difflib.get_close_matches(name.casefold(), by_key, n=1)
            written = sorted(one for one in by_key.values() if one != DEFAULT)
            has = f"it has: {', '.join(written)}" if written else f"it has no {kind}s: everything is one {kind}"
            hint = f"did you mean '{by_key[near[0]]}'?" if near else has
            raise UsageError(f"the pipeline has no {kind} '{name}'", do=hint)
