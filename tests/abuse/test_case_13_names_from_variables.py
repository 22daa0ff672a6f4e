"""Abuse case 13: a step that nobody trusts sets the variable from which a later step takes the connection's name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.authorization.limits import Limits
from sluice.storage import actions, audit, permissions

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

    from sluice.connections.connection import ConnectionRecord

HOSTILE = """
stages:
- stage: Test
  jobs:
  - job: J
    steps:
    - checkout: none
    - bash: echo "##vso[task.setvariable variable=target]production"
      name: set
    - task: Deliver@1
      name: hand
      inputs: {to: $(target), what: crates}
- stage: Deploy
  condition: always()
  jobs:
  - job: J
    steps:
    - checkout: none
    - task: Deliver@1
      name: hand
      inputs: {to: production, what: crates}
"""


def _limit(bench: Bench, record: ConnectionRecord, limits: Limits) -> None:
    _, pipeline = bench.pipeline("demo")
    with bench.database.write() as transaction:
        resource = permissions.Resource(record.project_id, record.id)
        now = bench.clock()
        permissions.grant(transaction, resource, pipeline.id, by="owner", at=now, limits=limits.text(), replace=True)


def _refusals(bench: Bench) -> list[str]:
    with bench.database.read() as transaction:
        links = audit.newest(transaction, 100)
    return [audit.describe(one.entry) for one in links if one.entry.action == actions.ACCESS_REFUSED.id]


def test_a_grant_for_one_stage_refuses_the_name_that_a_variable_brings_to_another(bench: Bench) -> None:
    record = bench.connection("production", scheme="Token")
    _limit(bench, record, Limits.of(["Deploy"]))
    done = bench.run_pipeline(HOSTILE)
    results = done.results()
    assert results["Test.J.hand"] == "Failed"
    assert results["Deploy.J.hand"] == "Succeeded"
    assert "only within limits: stage 'Test' is not one of 'Deploy'" in bench.log(done.run.id)
    assert bench.requests(done.run.id) == []
    assert [use.stage for use in bench.store.history(record)] == ["Deploy"]
    assert len(_refusals(bench)) == 1
    assert "outside-limits" in _refusals(bench)[0]


def test_nothing_is_cached_from_the_name_that_was_planned(bench: Bench) -> None:
    """The planned name is permitted everywhere; the one that comes out at run time is asked for on its own."""
    bench.connection("staging", permit="demo")
    record = bench.connection("production", scheme="Token")
    waiting = bench.run_pipeline(HOSTILE, variables={"target": "staging"})
    assert waiting.results()["Test.J"] == "waiting"
    assert [one.resource_id for one in bench.requests(waiting.run.id, "running")] == [record.id]
    assert bench.store.history(record) == ()


def test_limits_of_task_and_branch_hold_where_the_secret_leaves(bench: Bench) -> None:
    record = bench.connection("production", scheme="Token")
    _limit(bench, record, Limits.of(branches=["release/*"], tasks=["Deliver"]))
    refused = bench.run_pipeline(HOSTILE, source={"branch": "refs/heads/main"})
    assert refused.results()["Test.J.hand"] == "Failed"
    assert refused.results()["Deploy"] == "Failed"
    assert bench.store.history(record) == ()
    passed = bench.run_pipeline(HOSTILE, source={"branch": "refs/heads/release/1"})
    assert passed.run.result == "Succeeded"
    _limit(bench, record, Limits.of(tasks=["Other@1"]))
    assert bench.run_pipeline(HOSTILE).results()["Deploy"] == "Failed"
    assert len(bench.store.history(record)) == 2
