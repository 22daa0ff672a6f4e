"""`npmAuthenticate@0` and `Npm@1` with a real npm, against a real registry that wants a log-in."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.package_servers import USER
from tests.real.packages.conftest import PASSWORD, Person, Server, verify, wrong

from sluice.plugin import VerificationError

EXAMPLE = Path(__file__).parents[3] / "examples" / "packages"

pytestmark = pytest.mark.real

PIPELINE = """
    steps:
    - task: Npm@1
      inputs:
        command: publish
        workingDir: lib
        publishEndpoint: npm-main
    - task: npmAuthenticate@0
      inputs:
        workingFile: app/.npmrc
        customEndpoint: npm-main
    - script: npm install --no-audit --no-fund && node -p "require('@team/lib') + 1" && cat .npmrc
      workingDirectory: app
    - task: Npm@1
      inputs:
        command: custom
        workingDir: bare
        customCommand: view @team/lib version
        customEndpoint: npm-main
    - script: exit 3  # the folders of a run that failed are kept
"""


def test_the_example_publishes_and_installs_with_a_password(person: Person, verdaccio: Server, evidence: Giver) -> None:
    for file in EXAMPLE.rglob("*"):
        if file.is_file():
            text = file.read_text().replace("https://registry.example.org/npm/", verdaccio.url)
            person.write({str(file.relative_to(EXAMPLE)): text})
    person.environ["NPM_MAIN_PASSWORD"] = PASSWORD
    person.sluice("connection", "apply", "connections.yml")
    assert f"knows the credentials as {USER}" in person.sluice("connection", "verify", "npm-main")
    said = person.sluice("run", "--permit", "npm-main")
    assert "Hello from a package, application" in said
    assert "[Use.Application] 1.0.0\n" in said
    person.check()
    evidence("externalnpmregistry", "UsernamePassword", "verified right", "verdaccio")
    evidence("externalnpmregistry", "UsernamePassword", "used", "verdaccio", task="npmAuthenticate@0")
    evidence("externalnpmregistry", "UsernamePassword", "used", "verdaccio", task="Npm@1")


def test_a_package_is_published_and_installed_with_a_token(person: Person, verdaccio: Server, evidence: Giver) -> None:
    said = person.connect("npm-main", "externalnpmregistry", verdaccio.url, token=verdaccio.token)
    assert f"is an npm registry and knows the credentials as {USER}" in said
    own = f"registry={verdaccio.url.rstrip('/')}\n"
    person.write(
        {
            "azure-pipelines.yml": PIPELINE,
            "lib/package.json": '{"name": "@team/lib", "version": "1.2.3", "main": "a.js"}',
            "lib/a.js": "module.exports = 41\n",
            "lib/.npmrc": "registry=http://127.0.0.1:9/\n//127.0.0.1:9/:_authToken=other\n",
            "app/package.json": '{"name": "app", "dependencies": {"@team/lib": "1.2.3"}}',
            "app/.npmrc": own,
            "bare/package.json": '{"name": "bare"}',
            "bare/.npmrc": own,
        }
    )
    said = person.sluice("run", status=1)
    assert "\n42\n" in said
    assert "\n1.2.3\n" in said
    assert "_authToken=***" in said
    person.check()
    files = {path.parent.name: path.read_text() for path in (person.folder / "home").rglob(".npmrc")}
    assert files == {"app": own, "bare": own, "lib": person.text("lib/.npmrc")}
    evidence("externalnpmregistry", "Token", "verified right", "verdaccio")
    evidence("externalnpmregistry", "Token", "used", "verdaccio", task="npmAuthenticate@0")
    evidence("externalnpmregistry", "Token", "used", "verdaccio", task="Npm@1")


@pytest.mark.parametrize("scheme", ["password", "token"])
def test_wrong_credentials_are_told_from_a_wrong_address(verdaccio: Server, scheme: str, evidence: Giver) -> None:
    for url, expected in (
        (verdaccio.url, "the server does not know the credentials"),
        (f"{verdaccio.url}nothing/here/", "there is no npm registry"),
    ):
        with pytest.raises(VerificationError, match=expected) as caught:
            verify(wrong("externalnpmregistry", url, scheme))
        assert "wrong-pass" not in str(caught.value)
    name = "Token" if scheme == "token" else "UsernamePassword"
    evidence("externalnpmregistry", name, "verified wrong", "verdaccio")
