"""The TaskRun that handlers receive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.plugin import Connection, Secret, TaskFailedError, TaskRun
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

    def issue(self, type: str, message: str) -> None:  # noqa: A002
        self.said.append((type, message))

    def progress(self, percent: int, operation: str) -> None:
        self.said.append((percent, operation))

    def set_variable(self, name: str, value: str | Secret, *, output: bool) -> None:
        self.said.append((name, value, output))

    def mask(self, secret: Secret) -> None:
        self.said.append(secret)

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
