"""Identity tokens that a job asks for by itself: only while a step of it has the connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jwt
import pytest

from sluice.connections.federation import ISSUER_VARIABLE
from sluice.errors import NotPermittedError, SluiceError
from sluice.runs.federation import token_for_job

if TYPE_CHECKING:
    from tests.agent.runs.conftest import Bench

    from sluice.connections.connection import ConnectionRecord

HAND = "steps: [{checkout: none}, {task: Deliver@1, name: hand, inputs: {to: cloud, what: crates}}]\n"
DELIVERED = b"delivered crates to cloud"


@pytest.fixture(autouse=True)
def issuer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ISSUER_VARIABLE, "https://sluice.example")


@pytest.fixture
def cloud(bench: Bench) -> ConnectionRecord:
    return bench.connection("cloud", scheme="WorkloadIdentityFederation", permit="demo")


def job_id(bench: Bench, run_id: int) -> str:
    return next(one.id for one in bench.records(run_id) if one.type == "Job")


def ask(bench: Bench, connection: str, *, job: str = "", before: Callable[[], object] = lambda: None) -> str:
    """What a job is told that asks in the middle of the step; the claims' subject, or why it is none."""
    run = bench.create(HAND)
    told: list[str] = []

    def during(text: bytes) -> None:
        if DELIVERED not in text:
            return
        before()
        try:
            token = token_for_job(bench.orchestrator, run.id, job or job_id(bench, run.id), connection)
        except SluiceError as error:
            told.append(str(error))
        else:
            claims = jwt.decode(token.reveal(), options={"verify_signature": False})
            told.append(f"{claims['sub']} {claims['run_id'] == run.id} {claims['stage']}")

    done = bench.drive(run.id, on_log=during)
    assert done.run.result == "Succeeded"
    with pytest.raises(NotPermittedError, match="job that does not run"):
        token_for_job(bench.orchestrator, run.id, job_id(bench, run.id), connection)
    (answer,) = told
    return answer


def test_a_running_step_may_have_as_many_as_it_asks_for(bench: Bench, cloud: ConnectionRecord) -> None:
    assert ask(bench, cloud.id.upper()) == "sc://local/default/cloud True __default"


def test_a_connection_that_the_step_was_not_given_has_none(bench: Bench, cloud: ConnectionRecord) -> None:
    other = bench.connection("other", scheme="WorkloadIdentityFederation", permit="demo")
    assert "no running step of the job has received it" in ask(bench, other.id)


def test_another_job_has_none(bench: Bench, cloud: ConnectionRecord) -> None:
    assert "job that does not run" in ask(bench, cloud.id, job="00000000-0000-0000-0000-000000000000")


def test_a_permit_that_was_revoked_meanwhile_counts(bench: Bench, cloud: ConnectionRecord) -> None:
    assert "may not use the service connection 'cloud'" in ask(
        bench, cloud.id, before=lambda: bench.revoke(cloud, "demo")
    )
