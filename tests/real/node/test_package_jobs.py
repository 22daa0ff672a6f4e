"""Packages in jobs: executions before and after, restrictions, cancellation, and what keeps one from starting."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.hooks.connection import Connection
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Execution, Result
from sluice.testing.package_runner import run_package

if TYPE_CHECKING:
    from tests.real.node.conftest import Author

pytestmark = pytest.mark.real

EXECUTIONS = {
    "prejobexecution": {"Node10": {"target": "pre.js"}},
    "execution": {"Node20_1": {"target": "main.js"}},
    "postJobExecution": {"Node16": {"target": "post.js"}},
}


def test_the_executions_of_a_task_share_its_task_variables_and_nothing_else(author: Author) -> None:
    package = author.write(
        "console.log('main sees', tl.getTaskVariable('first'), tl.getVariable('first'));"
        "tl.setTaskVariable('second', 'task-secret-2', true);",
        EXECUTIONS,
        pre="tl.setTaskVariable('first', 'one'); tl.setVariable('handed', 'over', false, true);",
        post="console.log('post sees', tl.getTaskVariable('first'), tl.getTaskVariable('second').length);",
    )
    outcome = run_package(package)
    assert outcome.results == dict.fromkeys(Execution, Result.SUCCEEDED)
    assert list(outcome.results) == [Execution.PRE, Execution.MAIN, Execution.POST]
    assert "main sees one undefined" in outcome.lines
    assert "post sees one 13" in outcome.lines
    assert outcome.variables["Probe.handed"] == "over"
    assert "task-secret-2" not in repr(outcome)


def test_what_follows_a_job_runs_although_the_task_failed(author: Author) -> None:
    package = author.write(
        "tl.setResult(tl.TaskResult.Failed, 'broken');", EXECUTIONS, pre="", post="console.log('swept');"
    )
    outcome = run_package(package)
    assert outcome.results[Execution.MAIN] == Result.FAILED
    assert outcome.results[Execution.POST] == Result.SUCCEEDED
    assert "swept" in outcome.lines


def test_a_failure_before_the_job_skips_the_task(author: Author) -> None:
    package = author.write("console.log('never');", EXECUTIONS, pre="throw new Error('early');", post="")
    outcome = run_package(package)
    assert outcome.results[Execution.PRE] == Result.FAILED
    assert outcome.results[Execution.MAIN] == Result.SKIPPED
    assert "never" not in outcome.lines


def test_the_restrictions_of_a_package_hold(author: Author) -> None:
    package = author.write(
        """
        tl.setVariable('allowed.one', 'yes'); tl.setVariable('other', 'no');
        tl.setVariable('NODE_OPTIONS', '--require /tmp/evil.js');
        console.log('##vso[build.addbuildtag]tag');
        console.log('##vso[task.prependpath]/tmp/evil');
        """,
        {
            "restrictions": {
                "commands": {"mode": "restricted"},
                "settableVariables": {"allowed": ["Allowed.*", "NODE_*"]},
            }
        },
    )
    outcome = run_package(package)
    assert outcome.variables["allowed.one"] == "yes"
    assert not {"other", "NODE_OPTIONS"} & set(outcome.variables)
    warnings = [issue.message for issue in outcome.issues]
    assert "Setting variable 'other' has been disabled by the task or build definition." in warnings
    assert "Setting variable 'NODE_OPTIONS' has been disabled by the task or build definition." in warnings
    assert "Setting variable 'PATH' has been disabled by the task or build definition." in warnings
    assert any("##vso[build.addbuildtag] is not allowed in this step" in text for text in warnings)


def test_the_pipeline_and_the_package_must_both_let_a_variable_be_set(author: Author) -> None:
    package = author.write(
        "for (const name of ['a1', 'a2', 'b1']) tl.setVariable(name, 'x');",
        {"restrictions": {"settableVariables": {"allowed": ["a*"]}}},
    )
    outcome = run_package(package, settable=("*1",))
    assert {"a1", "a2", "b1"} & set(outcome.variables) == {"a1"}


def test_variables_that_the_manifest_declares_are_output_variables(author: Author) -> None:
    package = author.write(
        "tl.setVariable('DECLARED', '1'); tl.setVariable('plain', '2');",
        {"outputVariables": [{"name": "declared", "description": ""}]},
    )
    outcome = run_package(package)
    assert outcome.outputs == {"DECLARED": "1"}
    assert "plain" in outcome.variables
    assert "DECLARED" not in outcome.variables


def test_a_handler_is_told_of_no_connection_but_its_own(author: Author) -> None:
    package = author.write(
        "console.log(Object.keys(process.env).filter(one => one.startsWith('ENDPOINT_URL_')).sort().join());"
        "console.log(JSON.stringify(tl.getInput('undeclared')));",
        {"inputs": [{"name": "server", "type": "connectedService:generic"}]},
    )
    mine = Connection(id="11111111-1111-4111-8111-111111111111", name="mine", type="generic", url="https://mine")
    outcome = run_package(package, connections={"server": mine})
    assert "ENDPOINT_URL_11111111-1111-4111-8111-111111111111,ENDPOINT_URL_SYSTEMVSSCONNECTION" in outcome.lines


def test_the_job_token_is_masked_and_another_one_in_each_job(author: Author, tmp_path: Path) -> None:
    code = (
        "const t = tl.getEndpointAuthorizationParameter('SystemVssConnection', 'AccessToken', false);"
        "require('fs').appendFileSync('tokens', t + '\\n'); console.log('token', t);"
    )
    for _ in range(2):
        outcome = run_package(author.write(code), sources=tmp_path)
        assert "token ***" in outcome.lines
    first, second = (tmp_path / "tokens").read_text().split()
    assert first != second


def test_a_task_is_canceled_with_its_children(author: Author, tmp_path: Path) -> None:
    package = author.write(
        "require('child_process').spawn('sleep', ['60']); console.log('running'); setTimeout(() => {}, 60000);"
    )
    cancellation = Cancellation()
    outcome = run_package(
        package,
        sources=tmp_path,
        cancellation=cancellation,
        tell=lambda text: cancellation.cancel() if b"running" in text else None,
    )
    assert outcome.results[Execution.MAIN] == Result.CANCELED


def test_a_task_that_says_it_is_done_is_not_waited_for(author: Author, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.runtime.commands.DONE_SECONDS", 0.1)  # five seconds are the agent's
    package = author.write("tl.setResult(tl.TaskResult.Succeeded, 'ready', true); setTimeout(() => {}, 60000);")
    outcome = run_package(package)
    assert (outcome.result, outcome.message) == (Result.SUCCEEDED, "ready")
    assert threading.active_count() < 20


def test_without_node_the_step_says_how_to_get_it(author: Author, tmp_path: Path) -> None:
    outcome = run_package(author.write(""), environ={"PATH": str(tmp_path)})
    assert outcome.result == Result.FAILED
    assert "Unable to locate executable file: 'node'" in outcome.message
    assert "apt-get install nodejs" in outcome.message
    assert "SLUICE_NODE" in outcome.message


def test_the_node_that_is_named_runs_the_task(author: Author, node: Path, tmp_path: Path) -> None:
    outcome = run_package(author.write("console.log('ran')"), node=str(node), environ={"PATH": str(tmp_path)})
    assert "ran" in outcome.lines
    missing = run_package(author.write(""), node=str(tmp_path / "node"))
    assert "there is no Node at" in missing.message


def test_a_value_that_no_environment_holds_is_named(author: Author) -> None:
    package = author.write("", {"inputs": [{"name": "big", "type": "multiLine"}]})
    outcome = run_package(package, inputs={"big": "x" * 200_000})
    assert "the value of INPUT_BIG is too long for an environment" in outcome.message


def test_a_deprecated_task_says_so_once(author: Author) -> None:
    package = author.write("", EXECUTIONS | {"deprecated": True, "deprecationMessage": "Use Other@2."}, pre="", post="")
    outcome = run_package(package)
    assert [issue.message for issue in outcome.issues] == [
        "Task 'Probe' version 1 (Probe@1) is deprecated. Use Other@2."
    ]


def test_debugging_options_reach_node_only_when_asked_for(author: Author) -> None:
    package = author.write("console.log(JSON.stringify(process.execArgv));")
    assert "[]" in run_package(package).lines


def test_a_command_that_comes_in_two_pieces_is_one(author: Author) -> None:
    package = author.write(
        "process.stdout.write('##vso[task.setvariable vari'); setTimeout(() => console.log('able=x]y'), 30);"
    )
    outcome = run_package(package)
    assert outcome.variables["x"] == "y"
