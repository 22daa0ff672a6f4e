"""The public address of incoming webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from tests.conftest import Giver

from sluice.connections.connection import Draft, Update
from sluice.runs.compiling import find_file
from sluice.runs.pipelines import register
from sluice.secret import Secret
from sluice.server.state import ServerState
from sluice.storage import projects, requests, runs
from sluice.storage.pipelines import Pipeline
from sluice.storage.runs import RunRow

SECRET = "webhook-secret-0001"
PATH = "/_apis/public/distributedtask/webhooks/{}?api-version=6.0-preview"
YAML = """
resources:
  webhooks:
  - webhook: nexus
    connection: {connection}
    filters:
    - path: repositoryName
      value: maven-releases
    - path: action
      value: CREATED
steps:
- script: echo "${{{{ parameters.nexus.component.name }}}}"
"""
EVENT = {"repositoryName": "maven-releases", "action": "CREATED", "component": {"name": "app-1.0"}}


def connection(
    state: ServerState, name: str = "hook", *, secret: str = SECRET, project: str = "default", **values: str
) -> None:
    given = {"webhookname": "nexus", "header": "X-Nexus-Webhook-Signature" if secret else "", **values}
    draft = Draft(
        name=name,
        type="incomingwebhook",
        scheme="None",
        values={key: value for key, value in given.items() if value},
        secrets={"secret": Secret(secret)} if secret else {},
    )
    state.store().create(project, draft, by="ann")


def pipeline(
    state: ServerState, folder: Path, name: str = "release", *, yaml: str = "", project: str = "default"
) -> Pipeline:
    place = folder / name
    place.mkdir()
    (place / "azure-pipelines.yml").write_text(yaml or YAML.format(connection="hook"))
    return register(state.database, project, find_file(place / "azure-pipelines.yml"), by="ann", at=1.0)[1]


def post(
    client: TestClient, event: object, *, name: str = "nexus", headers: Mapping[str, str] | None = None
) -> tuple[int, object]:
    body = event if isinstance(event, bytes) else json.dumps(event).encode()
    shown = f"sha1={hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()}"
    given = {"x-nexus-webhook-signature": shown} if headers is None else headers
    answer = client.post(PATH.format(name), content=body, headers=given)
    return answer.status_code, answer.json()


def made(state: ServerState, pipeline: Pipeline) -> list[RunRow]:
    with state.database.read() as transaction:
        wanted = runs.Wanted(pipeline_ids=(pipeline.id,))
        return list(runs.search(transaction, pipeline.project_id, wanted, limit=10))


def test_an_event_starts_the_pipelines_that_want_it(
    state: ServerState, client: TestClient, tmp_path: Path, evidence: Giver
) -> None:
    connection(state)
    wanting = pipeline(state, tmp_path)
    other = pipeline(state, tmp_path, "other", yaml=YAML.format(connection="another"))
    plain = pipeline(state, tmp_path, "plain", yaml="steps: [{script: echo}]")
    assert post(client, EVENT) == (200, {"count": 1})
    (run,) = made(state, wanting)
    assert made(state, other) == made(state, plain) == []
    assert run.requested_by == "Microsoft.VisualStudio.Services.TFS"
    variables = {name: value for name, value, _ in run.options["variables"]}
    assert variables["Build.Reason"] == "ResourceTrigger"
    with state.database.read() as transaction:
        plan = state.orchestrator(state.store()).load(transaction, run.id).plan
    assert plan.stages[0].jobs[0].steps[-1].inputs["script"].value == 'echo "app-1.0"'
    evidence("incomingwebhook", "None", "used", "a sender of the test", task="resources.webhooks")


def test_an_event_that_fulfils_no_filter_starts_nothing(state: ServerState, client: TestClient, tmp_path: Path) -> None:
    connection(state)
    wanting = pipeline(state, tmp_path)
    assert post(client, {**EVENT, "action": "DELETED"}) == (200, {"count": 0})
    assert made(state, wanting) == []


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-nexus-webhook-signature": "sha1=00"}, {"x-hub-signature": "sha1=00"}, {"x-nexus-webhook-signature": ""}],
)
def test_without_the_right_checksum_it_is_as_if_there_were_nothing(
    state: ServerState, client: TestClient, tmp_path: Path, headers: Mapping[str, str]
) -> None:
    connection(state)
    wanting = pipeline(state, tmp_path)
    refused = post(client, EVENT, headers=headers)
    assert refused[0] == 404
    unknown = post(client, EVENT, name="nowhere")
    assert {**refused[1], "$id": ""} == {**unknown[1], "$id": ""}  # type: ignore[dict-item]
    assert made(state, wanting) == []


def test_without_a_secret_anybody_may_post(state: ServerState, client: TestClient, tmp_path: Path) -> None:
    connection(state, secret="")
    wanting = pipeline(state, tmp_path)
    assert post(client, EVENT, headers={}, name="NEXUS") == (200, {"count": 1})
    assert len(made(state, wanting)) == 1


def test_a_header_without_a_secret_or_the_other_way_round_accepts_nothing(
    state: ServerState, client: TestClient
) -> None:
    connection(state, "one", secret="", header="X-A")
    connection(state, "two", header="")
    assert post(client, EVENT)[0] == 404


def test_a_disabled_connection_takes_nothing(state: ServerState, client: TestClient, tmp_path: Path) -> None:
    connection(state)
    pipeline(state, tmp_path)
    state.store().update("default", "hook", Update(disabled=True), by="ann")
    assert post(client, EVENT)[0] == 404


def test_each_project_has_its_own_connections(state: ServerState, client: TestClient, tmp_path: Path) -> None:
    with state.database.write() as transaction:
        projects.ensure(transaction, "web")
    connection(state)
    here = pipeline(state, tmp_path)
    there = pipeline(state, tmp_path, "there", project="web")
    assert post(client, EVENT) == (200, {"count": 1})
    assert (len(made(state, here)), len(made(state, there))) == (1, 0)


def test_a_pipeline_that_does_not_compile_keeps_no_other_from_its_run(
    state: ServerState, client: TestClient, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    connection(state)
    broken = pipeline(state, tmp_path, "broken", yaml=YAML.format(connection="hook") + "- nonsense: 1\n")
    good = pipeline(state, tmp_path, "good")
    gone = pipeline(state, tmp_path, "gone")
    Path(gone.source).unlink()
    assert post(client, EVENT) == (200, {"count": 1})
    assert (len(made(state, broken)), len(made(state, good)), len(made(state, gone))) == (0, 1, 0)
    assert "sluice: webhook 'nexus' did not start 'broken':" in capsys.readouterr().err


def test_a_pipeline_needs_a_permit_for_the_connection_as_ever(
    state: ServerState, client: TestClient, tmp_path: Path
) -> None:
    connection(state)
    wanting = pipeline(state, tmp_path)
    post(client, EVENT)
    (run,) = made(state, wanting)
    orchestrator = state.orchestrator(state.store())
    orchestrator.advance(run.id)
    with state.database.read() as transaction:
        (waiting,) = requests.of_run(transaction, run.id)
    assert (waiting.resource_type, waiting.resource_name) == ("endpoint", "hook")


def test_what_is_no_event_is_told(state: ServerState, client: TestClient) -> None:
    connection(state)
    assert post(client, b"[]")[0] == 400
    assert post(client, b"x" * (1 << 20) + b"x", headers={})[0] == 413


def test_each_look_at_the_secret_is_in_the_history(state: ServerState, client: TestClient) -> None:
    connection(state)
    post(client, EVENT)
    store = state.store()
    (use,) = store.history(store.get("default", "hook"))
    assert (use.task, use.result) == ("webhook", "Succeeded")


def test_a_wrong_checksum_is_in_the_history_as_a_failure(state: ServerState, client: TestClient) -> None:
    connection(state)
    post(client, EVENT, headers={"x-nexus-webhook-signature": "sha1=00"})
    store = state.store()
    (use,) = store.history(store.get("default", "hook"))
    assert (use.task, use.result) == ("webhook", "Failed")


def test_a_message_commands_nothing(state: ServerState, client: TestClient, tmp_path: Path) -> None:
    connection(state)
    wanting = pipeline(state, tmp_path)
    event = {**EVENT, "component": {"name": "app ##vso[task.setvariable variable=PATH]/tmp/evil"}}
    assert post(client, event) == (200, {"count": 1})
    (run,) = made(state, wanting)
    with state.database.read() as transaction:
        plan = state.orchestrator(state.store()).load(transaction, run.id).plan
    script = plan.stages[0].jobs[0].steps[-1].inputs["script"].value
    assert "##vso[" not in script
    assert "task.setvariable variable=PATH" in script  # the text is there, and is a text


def test_guessing_is_slowed_down(state: ServerState, client: TestClient) -> None:
    statuses = [post(client, EVENT, headers={})[0] for _ in range(12)]
    assert statuses[0] == 404
    assert statuses[-1] == 429
