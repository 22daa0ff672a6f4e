"""A task package asks for identity tokens as it does at Azure DevOps: where no server answers, its step does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice.testing.package_runner import PackageOutcome, run_package

pytestmark = pytest.mark.real

MANIFEST = {
    "id": "2b1c0f7e-6a44-4d0c-9e4b-0f3a1c5d7e90",
    "name": "Asks",
    "version": {"Major": 1, "Minor": 0, "Patch": 0},
    "inputs": [{"name": "cloud", "type": "connectedService:azurerm", "label": "", "required": True}],
    "execution": {"Node20_1": {"target": "main.js"}},
}
MAIN = """
const token = process.env.ENDPOINT_AUTH_PARAMETER_SYSTEMVSSCONNECTION_ACCESSTOKEN;
const id = process.env.INPUT_CLOUD;
const ask = async (key) => {
  const headers = {Authorization: `Bearer ${key}`, 'Content-Type': 'application/json'};
  const url = `${process.env.SYSTEM_OIDCREQUESTURI}?api-version=7.1&serviceConnectionId=${id}`;
  return fetch(url, {method: 'POST', headers});
};
(async () => {
  const found = await (await fetch(`${process.env.SYSTEM_COLLECTIONURI}_apis/distributedtask`, {method: 'OPTIONS'})).json();
  console.log('resource', found.value[0].resourceName);
  console.log('same server', process.env.ENDPOINT_URL_SYSTEMVSSCONNECTION === process.env.SYSTEM_COLLECTIONURI);
  for (const _ of [1, 2]) console.log('given', (await (await ask(token)).json()).oidcToken.length);
  console.log('stranger', (await ask('wrong')).status);
})();
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    folder = tmp_path / "asks"
    folder.mkdir()
    (folder / "task.json").write_text(json.dumps(MANIFEST))
    (folder / "main.js").write_text(MAIN)
    return folder


def run(package: Path, connection: Connection) -> PackageOutcome:
    return run_package(package, connections={"cloud": connection})


def test_each_request_gets_a_token_of_the_steps_connection(package: Path, node: Path) -> None:
    asked: list[Secret] = []

    def issue() -> Secret:
        asked.append(Secret("x" * (100 + len(asked))))
        return asked[-1]

    given = "0a0b0c0d-1111-2222-3333-444455556666"
    done = run(package, Connection(id=given, name="cloud", type="azurerm", federation=issue))
    assert done.result == "Succeeded", done.log
    told = [line for line in done.lines if line.startswith(("resource", "same", "given", "stranger"))]
    assert told == ["resource oidctoken", "same server true", "given 100", "given 101", "stranger 401"]


def test_without_a_federated_connection_nobody_answers(package: Path, node: Path) -> None:
    (package / "main.js").write_text("console.log('uri', process.env.SYSTEM_OIDCREQUESTURI);")
    given = "0a0b0c0d-1111-2222-3333-444455556666"
    done = run(package, Connection(id=given, name="cloud", type="azurerm"))
    assert "uri undefined" in done.lines
