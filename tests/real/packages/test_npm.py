"""`npmAuthenticate@0` and `Npm@1` with a real npm, against a real registry that wants a log-in."""

from __future__ import annotations

import pytest
from tests.real.packages.conftest import Person, Server, verify, wrong

from sluice.plugin import VerificationError

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
    - script: npm install --no-audit --no-fund && node -p "require('LIB') + 1" && cat .npmrc
      workingDirectory: app
    - task: Npm@1
      inputs:
        command: custom
        workingDir: bare
        customCommand: view LIB version
        customEndpoint: npm-main
"""


@pytest.mark.parametrize("scheme", ["password", "token"])
def test_a_package_is_published_and_installed(person: Person, verdaccio: Server, scheme: str) -> None:
    token = verdaccio.token if scheme == "token" else ""
    said = person.connect("npm-main", "externalnpmregistry", verdaccio.url, token=token)
    assert "is an npm registry and knows the credentials as builder" in said
    library = f"@team/by-{scheme}"
    own = f"registry={verdaccio.url.rstrip('/')}\n"
    person.write(
        {
            "azure-pipelines.yml": PIPELINE.replace("LIB", library),
            "lib/package.json": f'{{"name": "{library}", "version": "1.2.3", "main": "a.js"}}',
            "lib/a.js": "module.exports = 41\n",
            "lib/.npmrc": "registry=http://127.0.0.1:9/\n//127.0.0.1:9/:_authToken=other\n",
            "app/package.json": f'{{"name": "app", "dependencies": {{"{library}": "1.2.3"}}}}',
            "app/.npmrc": own,
            "bare/package.json": '{"name": "bare"}',
            "bare/.npmrc": own,
        }
    )
    if scheme == "token":  # the folders of a run that failed are kept
        with (person.pipeline / "azure-pipelines.yml").open("a") as file:
            file.write("- script: exit 3\n")
    said = person.sluice("run", status=1 if scheme == "token" else 0)
    assert "\n42\n" in said
    assert "\n1.2.3\n" in said
    assert "_authToken=***" in said or ":_password=***" in said
    person.check()
    if scheme == "token":
        files = {path.parent.name: path.read_text() for path in (person.folder / "home").rglob(".npmrc")}
        assert files["app"] == own
        assert files["lib"].startswith("registry=http://127.0.0.1:9/")


@pytest.mark.parametrize("scheme", ["password", "token"])
def test_wrong_credentials_are_told_from_a_wrong_address(verdaccio: Server, scheme: str) -> None:
    for url, expected in (
        (verdaccio.url, "the server does not know the credentials"),
        (f"{verdaccio.url}nothing/here/", "there is no npm registry"),
    ):
        with pytest.raises(VerificationError, match=expected) as caught:
            verify(wrong("externalnpmregistry", url, scheme))
        assert "wrong-pass" not in str(caught.value)
