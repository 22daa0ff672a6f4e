"""`SSH@0` as a step of a whole job, on a real OpenSSH server."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sluice.hooks.manager import installed
from sluice.plugin import Connection
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import Event, LogWritten, StepFinished
from sluice.runtime.job import run_job
from sluice.runtime.request import ConnectionInput, JobRequest, Result, StepRequest

pytestmark = pytest.mark.real


class Opened:
    """Gives one connection to every step."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        return self._connection


@pytest.fixture
def run(sshd: Any, tmp_path: Path) -> Callable[..., tuple[Any, list[Event]]]:
    def go(*steps: StepRequest, on_log: Callable[[bytes], None] | None = None, **options: Any) -> Any:
        events: list[Event] = []

        def emit(event: Event) -> None:
            events.append(event)
            if on_log is not None and isinstance(event, LogWritten):
                on_log(event.text)

        request = JobRequest(
            run_id=1,
            id="job",
            identifier="Stage.Job",
            display_name="Job",
            work=tmp_path / "work",
            workspace=tmp_path / "work" / "1",
            steps=steps,
        )
        result = run_job(
            request,
            emit=emit,
            connections=Opened(sshd.connection("prod")),
            find_task=lambda reference: installed().tasks.get(reference.casefold()),
            cancellation=options.get("cancellation") or Cancellation(),
            environ={"PATH": os.environ["PATH"], "HOME": str(tmp_path)},
        )
        return result, events

    return go


def ssh(commands: str, **inputs: str) -> StepRequest:
    given = {"sshEndpoint": "prod", "runOptions": "commands", "readyTimeout": "20000", "failOnStdErr": "true"}
    return StepRequest(
        id="remote",
        name="remote",
        display_name="Remote",
        task="SSH@0",
        inputs=given | {"commands": commands} | inputs,
        connection_inputs=(ConnectionInput(name="sshEndpoint", written="sshEndpoint", type="ssh"),),
    )


def script(text: str, **parts: Any) -> StepRequest:
    return StepRequest(
        id="local", name="local", display_name="Local", task="CmdLine@2", inputs={"script": text}, **parts
    )


def log(events: list[Event]) -> str:
    return b"".join(event.text for event in events if isinstance(event, LogWritten)).decode()


def test_what_a_host_prints_changes_nothing_in_the_job(run: Any, tmp_path: Path) -> None:
    evil = (
        f"##vso[task.prependpath]{tmp_path}/evil",
        "##VSO[task.SetVariable variable=PWNED]yes",
        "text ##vso[task.setvariable variable=PWNED]yes",
        "\\033[0m##vso[task.complete result=Failed;]",
        "\\r##vso[task.setvariable variable=PWNED]yes\\r",
    )
    commands = "\n".join(f"printf '%b\\n' '{line}'" for line in evil)
    result, events = run(ssh(commands, enableRemoteVsoCommands="true"), script('echo "[$PWNED]" "$PATH"'))
    text = log(events)
    assert result == Result.SUCCEEDED
    assert "[]" in text
    assert f"{tmp_path}/evil" not in text.rpartition("[] ")[2]
    assert [event.result for event in events if isinstance(event, StepFinished)] == [Result.SUCCEEDED] * 2


def test_the_key_never_shows_even_if_the_host_prints_it(run: Any, sshd: Any) -> None:
    line = sshd.key.private.splitlines()[1]
    _, events = run(ssh(f"echo {line}"))
    assert line not in log(events)
    assert "***" in log(events)


def test_a_canceled_job_ends_the_remote_command_and_runs_what_always_runs(run: Any) -> None:
    cancellation = Cancellation()
    told = bytearray()

    def note(text: bytes) -> None:
        told.extend(text)
        if b"pid " in told.rpartition(b"$$")[2] and told.endswith(b"\n"):
            cancellation.cancel()

    result, events = run(
        ssh("echo pid $$; sleep 1000"),
        script("echo cleaned", condition="always()"),
        on_log=note,
        cancellation=cancellation,
    )
    assert result == Result.CANCELED
    pid = next(line.split()[1] for line in log(events).splitlines() if line.startswith("pid "))
    status = Path(f"/proc/{pid}/stat")
    assert not status.exists() or status.read_text().rpartition(")")[2].split()[0] in "ZX"
    assert "cleaned" in log(events)
