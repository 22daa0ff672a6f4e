"""Jobs are handed to a dispatcher once they are recorded as started."""

from __future__ import annotations

from queue import SimpleQueue
from typing import TYPE_CHECKING

import pytest
from tests.agent.runs.conftest import WatchedDispatcher

from sluice.runs.jobs import Claims, Starter
from sluice.runs.logs import RunLogs

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.agent.runs.conftest import Bench

    from sluice.dispatch.port import Ended
    from sluice.runs.decide import Advanced
    from sluice.runs.orchestrator import Loaded
    from sluice.storage.engine import Transaction

TWO_JOBS = (
    "variables: {who: you}\njobs:\n"
    "- job: A\n  steps:\n  - checkout: none\n  - bash: echo $(who)\n"
    "- job: B\n  displayName: For $(who)\n  steps:\n  - checkout: none\n  - bash: echo $(who)\n    name: greet\n"
)


class PowerCutError(Exception):
    """The machine stops before a transaction is stored."""


def starter(bench: Bench, run_id: int, ended: Callable[[Ended], None] = lambda _: None) -> Starter:
    return Starter(
        orchestrator=bench.orchestrator,
        dispatcher=WatchedDispatcher(2),
        logs=RunLogs(bench.orchestrator.home.logs, run_id),
        changed=lambda _: None,
        logged=lambda _, __: None,
        ended=ended,
    )


def claiming(starter: Starter, found: list[Claims | None]) -> Callable[[Transaction, Loaded, Advanced], None]:
    def claim(transaction: Transaction, loaded: Loaded, advanced: Advanced) -> None:
        found.append(starter.claim_at_once(transaction, loaded, advanced, [job.id for job in advanced.ready]))

    return claim


def test_a_job_that_is_claimed_at_once_gets_the_same_request_as_one_that_is_started_later(bench: Bench) -> None:
    run = bench.create(TWO_JOBS)
    bench.orchestrator.advance(run.id)
    ended: SimpleQueue[Ended] = SimpleQueue()
    starts = starter(bench, run.id, ended.put)
    before = bench.records(run.id)
    found: list[Claims | None] = []

    def cut(transaction: Transaction, loaded: Loaded, advanced: Advanced) -> None:
        claiming(starts, found)(transaction, loaded, advanced)
        raise PowerCutError

    with pytest.raises(PowerCutError):
        bench.orchestrator.advance(run.id, then=cut)
    assert bench.records(run.id) == before, "the claim goes with its transaction"
    [claims] = found
    assert claims is not None
    assert claims.complete
    ready = [job.id for job in bench.orchestrator.advance(run.id).ready]
    assert starts.start(run.id, ready)
    assert isinstance(starts.dispatcher, WatchedDispatcher)
    assert starts.dispatcher.requests == [request for _, request in claims.jobs]
    assert {ended.get(timeout=60).job, ended.get(timeout=60).job} == set(ready)


def test_jobs_that_this_decision_has_made_are_left_to_be_started(bench: Bench) -> None:
    found: list[Claims | None] = []
    run = bench.create(TWO_JOBS)
    advanced = bench.orchestrator.advance(run.id, then=claiming(starter(bench, run.id), found))
    assert len(advanced.ready) == 2
    assert found == [None]


def test_a_job_that_cannot_be_made_ready_fails_alone_when_its_turn_comes(bench: Bench) -> None:
    job = "- job: {0}\n  variables: {{n: {1}}}\n  timeoutInMinutes: $[ variables.n ]\n  steps:\n  - checkout: none\n  - bash: 'true'\n"
    yaml = "jobs:\n" + "".join(job.format(name, n) for name, n in (("A", "5"), ("B", "soon"), ("C", "5")))
    outcome = bench.run_pipeline(yaml, drive={"jobs": 1})
    jobs = {record.identifier.rpartition(".")[0]: record for record in outcome.records if record.type == "Job"}
    assert {name.rpartition(".")[2]: record.result for name, record in jobs.items()} == {
        "A": "Succeeded",
        "B": "Failed",
        "C": "Succeeded",
    }
    assert [request.display_name for request in outcome.dispatcher.requests] == ["A", "C"]
