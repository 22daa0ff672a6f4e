"""Variables that keep their value: read-only ones, and those that every run is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sluice.errors import UsageError
from sluice.language.compiler import compile_pipeline

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

PIPELINE = """
variables:
- {name: fixed, value: root, readonly: true}
- {name: Build.SourceBranch, value: mine}
- {name: System.Debug, value: 'no'}
stages:
- stage: S
  variables: {fixed: stage, System.StageName: other}
  jobs:
  - job: A
    variables: {fixed: job}
    strategy:
      matrix:
        L: {fixed: leg}
    steps:
    - bash: echo "$(fixed) ${{ variables.fixed }} $(Build.SourceBranch) $(System.StageName) $(System.Debug)"
"""


def test_no_scope_changes_what_is_read_only(bench: Bench) -> None:
    outcome = bench.run_pipeline(PIPELINE, source={"branch": "refs/heads/main"}, variables={"fixed": "queue"})
    assert outcome.output(outcome.jobs("A")[0].id) == ["root root refs/heads/main S no"]


def test_every_definition_that_is_not_used_is_noted_at_its_place() -> None:
    notes = compile_pipeline("a.yml", PIPELINE).notes
    assert notes == (
        "a.yml:4:37: the variable 'Build.SourceBranch' is predefined and read-only: this value is not used",
        "a.yml:8:22: the variable 'fixed' is read-only (see a.yml:3:24): this value is not used",
        "a.yml:8:47: the variable 'System.StageName' is predefined and read-only: this value is not used",
        "a.yml:11:24: the variable 'fixed' is read-only (see a.yml:3:24): this value is not used",
        "a.yml:14:20: the variable 'fixed' is read-only (see a.yml:3:24): this value is not used",
    )


def test_predefined_variables_cannot_be_given_when_a_run_is_queued(bench: Bench) -> None:
    with pytest.raises(UsageError, match=r"cannot be given: 'build\.sourcebranch'"):
        bench.create("steps: [{bash: echo}]", variables={"build.sourcebranch": "x", "Build.Clean": "true"})


def test_a_script_does_not_change_what_the_yaml_made_read_only(bench: Bench) -> None:
    outcome = bench.run_pipeline(
        """
        variables:
        - {name: fixed, value: yaml, readonly: true}
        steps:
        - bash: echo "##vso[task.setvariable variable=fixed]script"
        - bash: echo $(fixed)
        """
    )
    assert outcome.output(outcome.jobs("Job")[0].id) == ["yaml"]
    assert sum(record.warning_count for record in outcome.records if record.type == "Task") == 1
