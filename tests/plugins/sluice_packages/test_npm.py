"""What `Npm@1` gives to npm: its command, its settings, and nothing of a secret in the arguments."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sluice.plugin import Connection, Secret
from sluice.runtime.cancellation import Cancellation
from sluice.testing.task_runner import TaskOutcome, run_task

URL = "http://127.0.0.1:9/npm"
TOKEN = "token-4711-x"
REGISTRY = Connection(
    id="1", name="npm", type="externalnpmregistry", url=URL, scheme="Token", parameters={"apitoken": Secret(TOKEN)}
)
TELL = (
    'echo "args: $*"; echo "level: $NPM_CONFIG_LOGLEVEL registry: $NPM_CONFIG_REGISTRY"; cat "$NPM_CONFIG_USERCONFIG"'
)


def npm(folder: Path, inputs: dict[str, str], script: str = TELL, *ones: Connection, **parts: Any) -> TaskOutcome:
    """Run the task with a program in place of npm; the project is `<folder>/project`."""
    (folder / "project").mkdir(exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    (folder / "bin/npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin/npm").chmod(0o755)
    environment = {"PATH": f"{folder}/bin:{os.environ['PATH']}", "HOME": str(folder), "npm_config_userconfig": ""}
    return run_task(
        "Npm@1",
        inputs={"workingDir": "project", **inputs},
        connections={"customEndpoint": list(ones), "publishEndpoint": list(ones)},
        sources=folder,
        environment=parts.pop("environment", environment),
        **parts,
    )


@pytest.mark.parametrize(
    ("inputs", "arguments"),
    [
        ({}, "install"),
        ({"command": "ci", "verbose": "true"}, "ci"),
        ({"command": "custom", "customCommand": "run 'a b' --if-present"}, "run a b --if-present"),
    ],
)
def test_commands_get_the_registries_of_their_connections(
    tmp_path: Path, inputs: dict[str, str], arguments: str
) -> None:
    (tmp_path / ".npmrc").write_text("save-exact=true\n")
    done = npm(tmp_path, inputs, TELL, REGISTRY)
    assert done.result == "Succeeded", done.message
    assert done.lines[1:] == [
        f"args: {arguments}",
        f"level: {'verbose' if 'verbose' in inputs else ''} registry: ",
        "save-exact=true",
        "//127.0.0.1:9/npm/:_authToken=***",
        "//127.0.0.1:9/npm/:always-auth=true",
    ]


def test_a_publication_goes_where_its_connection_says(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    own = tmp_path / "project/.npmrc"
    own.write_text("registry=http://elsewhere.example/\n")
    own.chmod(0o640)
    done = npm(tmp_path, {"command": "publish"}, f"{TELL}; ls -A", REGISTRY)
    assert "args: publish" in done.lines
    assert f"level:  registry: {URL}/" in done.lines
    assert f"registry={URL}/" in done.lines
    assert ".npmrc" not in done.lines
    assert own.read_text() == "registry=http://elsewhere.example/\n"
    assert own.stat().st_mode & 0o777 == 0o640
    assert done.restored == (own,)


def test_a_project_s_settings_are_back_after_a_publication_that_failed(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    (tmp_path / "project/.npmrc").write_text("own\n")
    done = npm(tmp_path, {"command": "publish"}, "exit 7", REGISTRY)
    assert done.message.endswith("npm failed with exit code 7")
    assert (tmp_path / "project/.npmrc").read_text() == "own\n"


def test_a_publication_needs_a_connection(tmp_path: Path) -> None:
    assert "Input required: publishEndpoint" in npm(tmp_path, {"command": "publish"}).message


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"command": "audit"}, "npm command 'audit' is not one of: ci, install, publish, custom"),
        ({"command": "custom"}, "Input required: customCommand"),
        ({"command": "custom", "customCommand": "run 'a"}, "the custom command cannot be read: No closing quotation"),
        ({"workingDir": "not/there"}, "Not found workingDir: "),
        ({"customRegistry": "useFeed", "customFeed": "ours"}, "there is no Azure Artifacts feed 'ours' here"),
        ({"command": "publish", "publishRegistry": "useFeed", "publishFeed": "o/f"}, "no Azure Artifacts feed 'o/f'"),
    ],
)
def test_what_cannot_be_done_is_told(tmp_path: Path, inputs: dict[str, str], message: str) -> None:
    done = npm(tmp_path, inputs)
    assert done.result == "Failed"
    assert message in done.message
    assert not any(line.startswith("args") for line in done.lines)


def test_a_missing_npm_is_told_with_how_to_get_it(tmp_path: Path) -> None:
    done = npm(tmp_path, {}, environment={"PATH": str(tmp_path)})
    assert "Unable to locate executable file: 'npm'" in done.message
    assert "apt-get install nodejs npm" in done.message


def test_a_canceled_command_ends(tmp_path: Path) -> None:
    cancellation = Cancellation()
    script = "trap 'echo ended; exit 0' INT; echo begun; while :; do sleep 0.05; done"

    def look(line: str) -> None:
        if line == "begun":
            cancellation.cancel("by a person")

    done = npm(tmp_path, {}, script, cancellation=cancellation, tell=look)
    assert done.result == "Canceled"
    assert "ended" in done.lines
