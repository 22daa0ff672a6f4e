from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sluice.plugin import Secret
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.ssh_host import SshHost
from sluice.testing.task_runner import TaskOutcome, run_task

PASSWORD = "pw-5d02aa"


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with SshHost(password=PASSWORD) as running:
        yield running


def ssh(host: SshHost, sources: Path | None = None, **inputs: str) -> TaskOutcome:
    return run_task("SSH@0", inputs=inputs, connections={"sshEndpoint": host.connection("prod")}, sources=sources)


def test_the_log_tells_the_connection_and_each_command(host: SshHost) -> None:
    assert ssh(host, commands="echo hello").lines == [
        f"Trying to establish an SSH connection to deploy@127.0.0.1:{host.port}",
        "Successfully connected.",
        "echo hello",
        "hello",
    ]


def test_secrets_of_the_connection_are_masked_in_the_output(host: SshHost) -> None:
    outcome = ssh(host, commands=f"echo {PASSWORD}; echo {PASSWORD[:6]}'{PASSWORD[6:]}'")
    assert outcome.lines[-2:] == ["***", "***"]
    assert PASSWORD not in repr(outcome)


def test_a_secret_in_a_command_is_not_in_the_message_of_its_failure(host: SshHost) -> None:
    outcome = run_task(
        "SSH@0",
        inputs={"commands": "test token-93c = x"},
        connections={"sshEndpoint": host.connection("prod")},
        secrets=[Secret("token-93c")],
    )
    assert outcome.message == "prod: Command failed with exit code 1"
    assert "token-93c" not in outcome.log


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"runOptions": "commands"}, "Input required: commands"),
        ({"runOptions": "script"}, "Input required: scriptPath"),
        ({"runOptions": "script", "scriptPath": "missing.sh"}, "Not found scriptPath"),
        ({"runOptions": "inline"}, "Input required: inline"),
        ({"runOptions": "telepathy"}, "must be commands, script or inline"),
        ({"commands": "true", "readyTimeout": "soon"}, "'readyTimeout' is not a whole number"),
    ],
)
def test_wrong_inputs_are_told_before_anything_runs(
    host: SshHost, tmp_path: Path, inputs: dict[str, str], message: str
) -> None:
    outcome = ssh(host, tmp_path, **inputs)
    assert outcome.result == Result.FAILED
    assert message in outcome.message
    assert "Successfully connected." not in outcome.log


def test_a_connection_that_fails_fails_the_task_with_the_reason(host: SshHost) -> None:
    outcome = run_task(
        "SSH@0",
        inputs={"commands": "true"},
        connections={"sshEndpoint": host.connection("prod", secrets={"password": "wrong-pw"})},
    )
    assert "Failed to connect to remote machine: the server refused the password" in outcome.message


def test_a_host_that_is_not_pinned_says_how_to_pin_it(host: SshHost) -> None:
    outcome = run_task(
        "SSH@0",
        inputs={"commands": "true"},
        connections={"sshEndpoint": host.connection("prod", HostKey="")},
    )
    assert outcome.result == Result.FAILED
    assert "sluice connection verify prod" in outcome.message


def test_nothing_runs_when_the_work_was_canceled_before(host: SshHost) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    outcome = run_task(
        "SSH@0",
        inputs={"commands": "echo never"},
        connections={"sshEndpoint": host.connection("prod")},
        cancellation=cancellation,
    )
    assert outcome.result == Result.CANCELED
    assert "never" not in outcome.lines


def test_a_script_is_fixed_run_and_removed(host: SshHost, tmp_path: Path) -> None:
    (tmp_path / "deploy.sh").write_bytes(b"#!/bin/sh\r\necho $# $2\r\n")
    outcome = ssh(host, tmp_path, runOptions="script", scriptPath="deploy.sh", args="one 'two three'")
    assert outcome.lines[-1] == "2 two three"
    assert list(host.folder.iterdir()) == []


def test_a_script_may_remove_itself(host: SshHost) -> None:
    outcome = ssh(host, runOptions="inline", inline='rm -f "$0"; echo ok')
    assert outcome.result == Result.SUCCEEDED
    assert outcome.messages("warning") == []


def test_interactive_sessions_and_remote_commands_are_warned_about(host: SshHost) -> None:
    outcome = ssh(host, commands="true", interactiveSession="true", enableRemoteVsoCommands="true")
    texts = outcome.messages("warning")
    assert any("does not type the password" in text for text in texts)
    assert any("never as commands" in text for text in texts)
