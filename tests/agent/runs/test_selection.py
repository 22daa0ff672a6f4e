from __future__ import annotations

import pytest

from sluice.errors import UsageError
from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan
from sluice.runs.selection import select

STAGED = """
stages:
- stage: Build
  jobs: [{job: A, steps: [{bash: a}]}, {job: B, dependsOn: A, steps: [{bash: b}]}]
- stage: Test
  jobs: [{job: A, steps: [{bash: c}]}]
- stage: Ship
  dependsOn: [Build, Test]
  jobs: [{job: C, steps: [{bash: d}]}]
"""


@pytest.fixture
def plan() -> Plan:
    return compile_pipeline("p.yml", STAGED)


def shape(plan: Plan) -> dict[str, tuple[tuple[str, ...], dict[str, tuple[str, ...]]]]:
    return {stage.name: (stage.depends_on, {job.name: job.depends_on for job in stage.jobs}) for stage in plan.stages}


def test_nothing_named_is_everything(plan: Plan) -> None:
    assert select(plan) == plan


def test_a_stage_that_is_named_does_not_wait_for_what_is_left_out(plan: Plan) -> None:
    assert shape(select(plan, ["ship"])) == {"Ship": ((), {"C": ()})}
    assert shape(select(plan, ["Build", "Ship"]))["Ship"] == (("Build",), {"C": ()})


def test_jobs_are_found_in_every_stage_that_is_kept(plan: Plan) -> None:
    assert shape(select(plan, jobs=["a"])) == {"Build": ((), {"A": ()}), "Test": (("Build",), {"A": ()})}
    assert shape(select(plan, ["Build"], ["B"])) == {"Build": ((), {"B": ()})}


def test_unknown_names_are_refused_with_the_nearest(plan: Plan) -> None:
    with pytest.raises(UsageError, match=r"no stage 'Shop' \(did you mean 'Ship'\?\)"):
        select(plan, ["Shop"])
    with pytest.raises(UsageError, match=r"no job 'Z' \(it has: A, B, C\)"):
        select(plan, jobs=["Z"])
