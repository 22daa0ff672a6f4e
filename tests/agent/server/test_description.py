"""Requests made up from the OpenAPI description (schemathesis): none of them is answered with a defect."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from starlette.testclient import TestClient
from tests.agent.server.conftest import TokenOf

from sluice.server.state import ServerState

schemathesis = pytest.importorskip("schemathesis", reason="pip install schemathesis")

EXAMPLES = 6
"""Requests for each operation: a few here, hundreds when something of the interface is new (`--hypothesis-seed` varies)."""

DUPLICATE = "DuplicateServiceConnectionException"
"""What clients know by its status, which is 500 at the service too."""


@pytest.fixture
def known(owner: TestClient, tmp_path: Path) -> Mapping[str, Sequence[object]]:
    """What there is, by the names of parameters: a request for what there is not goes no further than that."""
    file = tmp_path / "known.yml"
    file.write_text("steps:\n- script: echo\n")
    version = {"api-version": "7.1"}
    pipeline = owner.post(
        "/local/default/_apis/pipelines", params=version, json={"configuration": {"path": str(file)}}
    ).json()["id"]
    run = owner.post(f"/local/default/_apis/pipelines/{pipeline}/runs", params=version, json={}).json()["id"]
    project = owner.get("/local/_apis/projects/default").json()["id"]
    reference = {"projectReference": {"name": "default"}, "name": "known"}
    body = {
        "name": "known",
        "type": "generic",
        "url": "https://depot.example",
        "authorization": {"scheme": "UsernamePassword", "parameters": {"username": "ada"}},
        "serviceEndpointProjectReferences": [reference],
    }
    endpoint = owner.post("/local/_apis/serviceendpoint/endpoints", params=version, json=body).json()["id"]
    environment = owner.post(
        "/local/default/_apis/distributedtask/environments",
        params={"api-version": "7.1-preview.1"},
        json={"name": "known"},
    ).json()["id"]
    return {
        "project": ["default", project],
        "projectId": ["default"],
        "pipelineId": [pipeline],
        "definitionId": [pipeline],
        "buildId": [run],
        "runId": [run],
        "endpointId": [endpoint],
        "environmentId": [environment],
        "resourceType": ["endpoint", "environment", "variablegroup", "queue"],
        "resourceId": [endpoint, str(environment), project, f"{project}_{endpoint}"],
        "scopeId": ["distributedtask.serviceendpointrole", "distributedtask.project.serviceendpointrole"],
    }


@pytest.fixture
def operations(owner: TestClient) -> list[Any]:
    description = owner.get("/_apis/openapi.json").json()
    return [one.ok() for one in schemathesis.openapi.from_dict(description).get_all_operations()]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_no_request_that_the_description_allows_ends_in_a_defect(
    client: TestClient,
    state: ServerState,
    token_of: TokenOf,
    operations: list[Any],
    known: Mapping[str, Sequence[object]],
) -> None:
    token = base64.b64encode(f":{token_of(name='described')}".encode()).decode()
    chance = random.Random(20261125)
    assert len(operations) > 80
    for operation in operations:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def ask(case: Any) -> None:
            for name in list(case.path_parameters or {}):
                if name in known and chance.random() < 0.8:
                    case.path_parameters[name] = chance.choice(known[name])
            sent = case.as_transport_kwargs(base_url="http://127.0.0.1:8080")
            content = sent.get("data")
            answer = client.request(
                sent["method"],
                sent["url"],
                params={"api-version": "7.1-preview", **(sent.get("params") or {})},
                headers={**dict(sent.get("headers") or {}), "Authorization": f"Basic {token}"},
                json=sent.get("json"),
                content=content if isinstance(content, str | bytes) or content is None else str(content),
            )
            assert answer.status_code < 500 or DUPLICATE in answer.text, f"{case.operation.label}: {answer.text}"

        ask()
