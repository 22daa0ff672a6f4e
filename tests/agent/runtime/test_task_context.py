"""The TaskRun that handlers receive."""

from __future__ import annotations

import os
import select
import shlex
import signal
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from sluice.plugin import CanceledError, Connection, Secret, TaskFailedError, TaskRun
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.task_context import HandlerRun


class Recorded:
    """A HandlerOutput that remembers."""

    def __init__(self) -> None:
        self.said: list[object] = []

    def write(self, text: bytes) -> None:
        self.said.append(text)

    def stream(self) -> Callable[[bytes], None]:
        return self.said.append

    def commands(self) -> Callable[[bytes], None]:
        return lambda piece: self.said.append((b"script", piece))

    def issue(self, type: str, message: str) -> None:  # noqa: A002
        self.said.append((type, message))

    def progress(self, percent: int, operation: str) -> None:
        self.said.append((percent, operation))

    def set_variable(self, name: str, value: str | Secret, *, output: bool) -> None:
        self.said.append((name, value, output))

    def mask(self, secret: Secret) -> None:
        self.said.append(secret)

    def publish_results(self, runner: str, files: Sequence[Path], title: str) -> None:
        self.said.append((runner, files, title))

    def restore_at_end(self, path: Path) -> None:
        self.said.append(path)


def a_run(output: Recorded, **parts: object) -> HandlerRun:
    given: dict[str, object] = {"task": "Acme@1", "sources": Path("/s"), "temp": Path("/t"), "output": output}
    return HandlerRun(**(given | parts))  # type: ignore[arg-type]


def test_inputs_are_read_by_any_case() -> None:
    run: TaskRun = a_run(Recorded(), inputs={"Count": " 3 ", "on": "TRUE", "many": " a \n\n b\r\n"})
    assert run.input("COUNT") == " 3 "
    assert run.input("absent") == ""
    assert run.number("count") == 3
    assert run.flag("On")
    assert not run.flag("count")
    assert run.lines("many") == ["a", "b"]


@pytest.mark.parametrize("value", ["", "three", "-1"])
def test_a_bad_number_fails_the_task_and_names_the_input(value: str) -> None:
    with pytest.raises(TaskFailedError, match="'count'"):
        a_run(Recorded(), inputs={"count": value}).number("count", minimum=0)


def test_a_missing_required_input_fails_as_the_task_library_says() -> None:
    with pytest.raises(TaskFailedError, match="Input required: file"):
        a_run(Recorded(), inputs={"file": "  "}).required("file")


def test_paths_start_at_the_sources() -> None:
    run = a_run(Recorded(), inputs={"one": "x/../y", "two": "/abs", "three": ""})
    assert run.path("one") == Path("/s/y")
    assert run.path("two") == Path("/abs")
    assert run.path("three") == Path("/s")


def test_connections_come_by_the_input_that_names_them() -> None:
    first, second = Connection(id="1", name="a", type="ssh"), Connection(id="2", name="b", type="ssh")
    run = a_run(Recorded(), opened={"sshEndpoint": (first, second)})
    assert run.connection("SSHENDPOINT") is first
    assert run.connections("sshEndpoint") == (first, second)
    assert run.connections("other") == ()
    with pytest.raises(TaskFailedError, match="Input required: other"):
        run.connection("other")


def test_the_voice_reaches_the_output() -> None:
    output = Recorded()
    run = a_run(output)
    run.say("zwölf")
    run.stream()(b"part")
    run.warn("careful")
    run.error("broken")
    run.progress(120, "nearly")
    run.set_variable("token", Secret("x"), output=True)
    assert output.said == [
        "zwölf".encode(),
        b"part",
        ("warning", "careful"),
        ("error", "broken"),
        (100, "nearly"),
        ("token", Secret("x"), True),
    ]


def test_cancellation_is_seen_and_acted_on() -> None:
    cancellation = Cancellation()
    calls: list[str] = []
    run = a_run(Recorded(), cancellation=cancellation, variables={"System.Debug": "true"})
    run.on_cancel(lambda: calls.append("stop"))
    assert not run.canceled
    cancellation.cancel()
    assert run.canceled
    assert calls == ["stop"]
    assert run.variable("system.debug") == "true"


def test_files_of_a_missing_folder_fail_the_task(tmp_path: Path) -> None:
    with pytest.raises(TaskFailedError, match="Not found"):
        a_run(Recorded()).files(tmp_path / "absent", ["**"])
    (tmp_path / "x").touch()
    assert a_run(Recorded()).files(tmp_path, ["**"]) == [tmp_path / "x"]


def a_shell(run: HandlerRun, script: str, folder: Path, **more: Any) -> int:
    return run.execute(("/bin/sh", "-c", script), folder=folder, environment={"PATH": os.defpath}, **more)


def test_a_program_writes_to_the_log_and_its_status_is_answered(tmp_path: Path) -> None:
    output, pieces = Recorded(), list[bytes]()
    run: TaskRun = a_run(output, environment={"GREETING": "hello", "PATH": os.defpath})
    script = 'read line; echo "$GREETING $line"; echo oh >&2; pwd; exit 3'
    assert run.execute(("/bin/sh", "-c", script), folder=tmp_path, given=b"there\n", take=pieces.append) == 3
    wanted = f"hello there\noh\n{tmp_path}\n".encode()
    assert b"".join(pieces) == wanted
    assert output.said[0] == f"[command]/bin/sh -c {shlex.quote(script)}".encode()
    assert b"".join(piece for piece in output.said[1:] if isinstance(piece, bytes)) == wanted
    assert output.said[-1] == b""


def ends(pid: int) -> bool:
    """Whether a process that was killed is gone: the system may need a moment for it."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], 30)[0])
    finally:
        os.close(watched)


def test_a_canceled_program_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    cancellation, begun = Cancellation(), list[bytes]()

    def take(piece: bytes) -> None:
        begun.append(piece)
        if b"\n" in b"".join(begun):
            cancellation.cancel()

    run = a_run(Recorded(), cancellation=cancellation)
    script = 'trap "" INT; sleep 600 & trap "exit 0" INT; echo $!; wait'
    with pytest.raises(CanceledError):
        a_shell(run, script, tmp_path, take=take)
    assert ends(int(b"".join(begun).split()[0]))


def test_a_program_is_not_started_for_a_run_that_is_canceled(tmp_path: Path) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(CanceledError):
        a_shell(a_run(Recorded(), cancellation=cancellation), "touch started", tmp_path)
    assert not list(tmp_path.iterdir())


def test_what_a_program_leaves_in_the_background_goes_on_without_its_output(tmp_path: Path) -> None:
    pieces = list[bytes]()
    assert a_shell(a_run(Recorded()), "sleep 600 >/dev/null 2>&1 & echo $!", tmp_path, take=pieces.append) == 0
    child = int(b"".join(pieces))
    try:
        os.kill(child, 0)
    finally:
        os.kill(child, signal.SIGKILL)


def test_a_program_that_is_missing_is_told_with_what_to_install(tmp_path: Path) -> None:
    run = a_run(Recorded(), environment={"PATH": os.fspath(tmp_path)})
    with pytest.raises(TaskFailedError, match="Unable to locate executable file: 'depot'") as raised:
        run.program("depot", install="apt-get install depot")
    assert "apt-get install depot" in str(raised.value)
    (tmp_path / "depot").touch(mode=0o755)
    assert run.program("depot", install="") == os.fspath(tmp_path / "depot")
    with pytest.raises(TaskFailedError, match="cannot start"):
        run.execute((os.fspath(tmp_path / "absent"),), folder=tmp_path)
