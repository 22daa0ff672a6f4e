from __future__ import annotations

from pathlib import Path

import pytest

from sluice.plugin import CanceledError, Connection, Input, Secret, Task, TaskFailedError, TaskRun
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import Issue, run_task

INPUTS = (
    Input("depot", type="connectedService:acme"),
    Input("count", default="3", aliases=("number",)),
    Input("text"),
)
DEPOT = Connection(id="1", name="west", type="acme", parameters={"apitoken": Secret("token-5f5f")})


def task(run: object) -> Task:
    return Task("Acme@1", run, inputs=INPUTS)  # type: ignore[arg-type]  # a handler that the test wrote


def test_inputs_get_defaults_and_aliases_their_own_name() -> None:
    def handle(run: TaskRun) -> None:
        run.say(f"{run.number('count')} {run.input('text')!r} {run.connection('depot').name}")

    assert run_task(task(handle), connections={"depot": DEPOT}).lines == ["3 '' west"]
    outcome = run_task(task(handle), inputs={"Number": "7"}, connections={"depot": DEPOT})
    assert outcome.lines == ["7 '' west"]


def test_an_input_that_the_task_does_not_have_is_a_mistake_of_the_test() -> None:
    with pytest.raises(LookupError, match="has no input 'nothing'"):
        run_task(task(lambda _: None), inputs={"nothing": ""})


def test_everything_that_the_task_says_is_recorded_and_masked() -> None:
    def handle(run: TaskRun) -> None:
        write = run.stream()
        write(b"out token-")
        write(b"5f5f\nlast")
        write(b"")
        run.warn("token-5f5f is old")
        run.progress(50, "half")
        run.set_variable("plain", "value")
        run.set_variable("hidden", Secret("made-here"), output=True)
        run.say("made-here, extra-secret")

    outcome = run_task(task(handle), connections={"depot": DEPOT}, secrets=[Secret("extra-secret")])
    assert outcome.result == Result.SUCCEEDED
    assert outcome.lines == ["out ***", "last", "##[warning]*** is old", "***, ***"]
    assert outcome.issues == (Issue("warning", "*** is old"),)
    assert outcome.progress == ((50, "half"),)
    assert outcome.variables == {"plain": "value"}
    assert outcome.outputs == {"hidden": Secret("made-here")}


def test_output_of_a_handler_is_no_command() -> None:
    outcome = run_task(task(lambda run: run.say("##vso[task.setvariable variable=x]y")))
    assert (outcome.lines, outcome.variables) == (["##vso[task.setvariable variable=x]y"], {})


def test_failing_and_canceling_are_results_and_defects_are_not() -> None:
    def fail(run: TaskRun) -> None:
        raise TaskFailedError("no depot", where=run.task)

    def stop(run: TaskRun) -> None:
        if run.canceled:
            raise CanceledError("stopped")

    def break_down(run: TaskRun) -> None:
        raise ZeroDivisionError

    outcome = run_task(task(fail))
    assert (outcome.result, outcome.message) == (Result.FAILED, "Acme@1: no depot")
    assert outcome.messages("error") == ["Acme@1: no depot"]
    cancellation = Cancellation()
    cancellation.cancel()
    assert run_task(task(stop), cancellation=cancellation).result == Result.CANCELED
    with pytest.raises(ZeroDivisionError):
        run_task(task(break_down))


def test_lines_are_told_while_the_task_runs() -> None:
    told: list[str] = []

    def handle(run: TaskRun) -> None:
        write = run.stream()
        write(b"one\ntwo\nthr")
        assert told == ["one", "two"]
        write(b"")

    run_task(task(handle), tell=told.append)
    assert told == ["one", "two", "thr"]


def test_sources_variables_and_environment_are_given(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("")

    def handle(run: TaskRun) -> None:
        found = [path.name for path in run.files(run.sources, ["*.txt"])]
        run.say(f"{found} {run.variable('build.id')} {run.environment['NAME']} {run.temp.is_dir()}")

    outcome = run_task(task(handle), sources=tmp_path, variables={"Build.Id": "5"}, environment={"NAME": "value"})
    assert outcome.lines == ["['a.txt'] 5 value True"]


def test_a_task_of_an_installed_plugin_is_found_by_reference() -> None:
    outcome = run_task("ssh@0", inputs={"commands": "true"})
    assert "sshEndpoint" in outcome.message
    with pytest.raises(LookupError, match="no installed plugin offers the task Nothing@1"):
        run_task("Nothing@1")


def test_a_connection_is_made_from_its_declaration() -> None:
    made = make_connection("ssh", "prod", values={"host": "example.org", "USERNAME": "me", "privatekey": "text"})
    assert made.text("Host") == "example.org"
    assert made.parameters == {"username": "me"}
    assert made.data["PrivateKey"] == Secret("text")
    for values in ({"nothing": "x"}, {"apitoken": "x"}):
        with pytest.raises(LookupError, match="has no field"):
            make_connection("ssh", values=values)
    with pytest.raises(LookupError, match="has no scheme"):
        make_connection("ssh", scheme="Token")
    with pytest.raises(LookupError, match="no installed plugin"):
        make_connection("nothing")
