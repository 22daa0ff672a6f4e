"""Every getter and command of the task library, in each of its majors, under our runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sluice.hooks.connection import Connection
from sluice.runtime.request import Result
from sluice.secret import Secret
from sluice.testing.package_runner import PackageOutcome, run_package

if TYPE_CHECKING:
    from tests.real.node.conftest import Author

pytestmark = pytest.mark.real

ID = "0a0b0c0d-1111-2222-3333-444455556666"
BOX = Connection(
    id=ID.upper(),
    name="box",
    type="ssh",
    url="ssh://host:22",
    scheme="UsernamePassword",
    parameters={"username": "joe", "password": Secret("pass-word-1")},
    data={"Host": "host", "Private.Key": Secret("private-key-1"), "with blank": "blank"},
)
MANIFEST = {
    "inputs": [
        {"name": "plain", "type": "string", "defaultValue": "  default  ", "aliases": ["other"]},
        {"name": "flag", "type": "boolean", "defaultValue": False},
        {"name": "list", "type": "multiLine"},
        {"name": "file", "type": "filePath"},
        {"name": "none", "type": "filePath"},
        {"name": "dotted.name", "type": "string"},
        {"name": "server", "type": "connectedService:ssh"},
        {"name": "empty", "type": "string"},
    ],
}
GETTERS = """
const id = tl.getInput('server', true);
const seen = {
  plain: tl.getInput('plain'), flag: tl.getBoolInput('flag'), list: tl.getDelimitedInput('list', '\\n'),
  file: tl.getPathInput('file'), none: tl.getInput('none'), supplied: tl.filePathSupplied('none'),
  dotted: tl.getInput('dotted.name'), empty: tl.getInput('empty') || null,
  id, url: tl.getEndpointUrl(id, false), scheme: tl.getEndpointAuthorizationScheme(id, false),
  auth: tl.getEndpointAuthorization(id, false),
  username: tl.getEndpointAuthorizationParameter(id, 'username', false),
  password: tl.getEndpointAuthorizationParameter(id, 'PASSWORD', false),
  host: tl.getEndpointDataParameter(id, 'host', false), key: tl.getEndpointDataParameter(id, 'private.key', true),
  blank: tl.getEndpointDataParameter(id, 'with blank', true),
  system: tl.getEndpointAuthorizationParameter('SystemVssConnection', 'AccessToken', false).length > 20,
  systemUrl: tl.getEndpointUrl('SYSTEMVSSCONNECTION', false), systemScheme:
    tl.getEndpointAuthorizationScheme('SYSTEMVSSCONNECTION', false),
  public: tl.getVariable('My.Public'), secret: tl.getVariable('my.secret'), token:
    (tl.getVariable('System.AccessToken') || '').length > 20,
  variables: tl.getVariables().filter(one => /^my/i.test(one.name)).map(one => [one.name, one.secret]),
  hidden: Object.keys(process.env).filter(name => /^(INPUT_PLAIN|ENDPOINT_AUTH|SECRET_)/.test(name)),
  raw: process.env.SECRET_MY_SECRET || process.env.MY_SECRET || null, mine: process.env.MINE,
  cwd: process.cwd(), sources: tl.getVariable('Build.SourcesDirectory'), build: process.env.TF_BUILD,
  temp: tl.getVariable('Agent.TempDirectory').length > 0, status: process.env['agent.jobstatus'],
};
require('fs').writeFileSync('seen.json', JSON.stringify(seen));
tl.assertAgent('2.144.0');
"""


def _seen(author: Author, sources: Path, **more: Any) -> tuple[dict[str, Any], PackageOutcome]:
    package = author.write(GETTERS, MANIFEST)
    given: dict[str, Any] = {
        "inputs": {"other": "aliased", "list": "a\n\nb", "file": "sub/x.txt", "dotted.name": "dots", "flag": "TRUE"},
        "connections": {"server": BOX},
        "variables": {"My.Public": "shown", "my.secret": Secret("hidden-value-1")},
        "env": {"MINE": "$(My.Public)"},
        "sources": sources,
    }
    outcome = run_package(package, **(given | more))
    assert outcome.result == Result.SUCCEEDED, outcome.log
    found: dict[str, Any] = json.loads((sources / "seen.json").read_text())
    return found, outcome


def test_every_getter_answers_as_under_the_agent(versioned: Author, tmp_path: Path) -> None:
    seen, outcome = _seen(versioned, tmp_path)
    sources = str(tmp_path)
    assert seen["plain"] == "aliased"
    assert seen["flag"] is True
    assert seen["list"] == ["a", "b"]
    assert (seen["file"], seen["none"], seen["supplied"]) == (f"{sources}/sub/x.txt", sources, False)
    assert (seen["dotted"], seen["empty"]) == ("dots", None)
    assert (seen["id"], seen["url"], seen["scheme"]) == (ID, "ssh://host:22", "UsernamePassword")
    assert seen["auth"] == {
        "parameters": {"username": "joe", "password": "pass-word-1"},
        "scheme": "UsernamePassword",
    }
    assert (seen["username"], seen["password"], seen["host"]) == ("joe", "pass-word-1", "host")
    assert (seen["key"], seen["blank"]) == ("private-key-1", "blank")
    assert (seen["system"], seen["systemScheme"], seen["token"]) == (True, "OAuth", True)
    assert seen["systemUrl"].startswith("https://")
    assert (seen["public"], seen["secret"], seen["raw"], seen["mine"]) == ("shown", "hidden-value-1", None, "shown")
    assert sorted(seen["variables"]) == [["My.Public", False], ["my.secret", True]]
    assert seen["hidden"] == []
    assert (seen["cwd"], seen["sources"], seen["build"], seen["temp"]) == (sources, sources, "True", True)
    assert seen["status"] == "Succeeded"
    assert "pass-word-1" not in outcome.log
    assert "hidden-value-1" not in outcome.log


def test_what_a_debugging_run_prints_holds_no_secret(versioned: Author, tmp_path: Path) -> None:
    _, outcome = _seen(
        versioned, tmp_path, variables={"System.Debug": "true", "my.secret": Secret("hidden-value-1"), "My.Public": "p"}
    )
    assert "##[debug]" in outcome.log
    for secret in ("pass-word-1", "private-key-1", "hidden-value-1"):
        assert secret not in outcome.log
        assert not any(secret in command.data for command in outcome.commands)


def test_every_command_has_its_effect(versioned: Author, tmp_path: Path) -> None:
    package = versioned.write(
        """
        tl.setVariable('Plain', '50%;]\\r\\nnext');
        tl.setVariable('Hidden', 'secret-value-9', true);
        tl.setVariable('Out.Var', 'given', false, true);
        tl.setTaskVariable('kept', 'for later');
        tl.setSecret('another-secret-9');
        console.log('see another-secret-9 and secret-value-9');
        tl.warning('careful'); tl.error('bad;]%');
        tl.command('task.logissue', {type: 'warning', sourcepath: 'a;b.c', linenumber: '3', columnnumber: '4', code: 'E1'}, 'm');
        tl.prependPath('/opt/tool');
        tl.setProgress(40, 'half way');
        tl.debug('quiet');
        tl.setResult(tl.TaskResult.SucceededWithIssues, 'done msg');
        """
    )
    outcome = run_package(package, sources=tmp_path)
    assert outcome.result == Result.SUCCEEDED_WITH_ISSUES
    assert outcome.message == "done msg"
    percent = "50%25" if "2.12" in str(versioned.library) else "50%"
    assert outcome.variables["Plain"] == f"{percent};]\r\nnext"
    assert outcome.variables["Hidden"] == Secret("secret-value-9")
    assert outcome.variables["Probe.Out.Var"] == "given"
    assert outcome.outputs == {"Out.Var": "given"}
    assert "see *** and ***" in outcome.log
    assert "quiet" not in outcome.log
    messages = [(issue.type, issue.message) for issue in outcome.issues]
    bad = "bad;]%25" if "2.12" in str(versioned.library) else "bad;]%"
    assert messages == [
        ("warning", "careful"),
        ("error", bad),
        ("warning", "a;b.c(3,4): warning E1: m"),
        ("warning", "done msg"),
    ]


@pytest.mark.parametrize(
    ("code", "result", "message"),
    [
        ("tl.setResult(tl.TaskResult.Failed, 'no good');", Result.FAILED, "no good"),
        ("throw new Error('boom');", Result.FAILED, "boom"),
        ("Promise.reject(new Error('late'));", Result.FAILED, "late"),
        ("tl.getInput('missing', true);", Result.FAILED, "Input required: missing"),
        ("tl.setResult(tl.TaskResult.Succeeded, 'fine'); process.exitCode = 3;", Result.FAILED, "Exit code 3 returned"),
        ("tl.setResult(tl.TaskResult.Skipped, 'not needed');", Result.SKIPPED, "not needed"),
        (
            "tl.getEndpointAuthorization('nope', false); tl.setResult(tl.TaskResult.Succeeded, '');",
            Result.FAILED,
            "nope",
        ),
        ("tl.error('only told');", Result.SUCCEEDED, ""),
        ("console.error('to stderr');", Result.SUCCEEDED, ""),
    ],
)
def test_the_result_is_what_the_agent_would_make_of_it(
    author: Author, tmp_path: Path, code: str, result: Result, message: str
) -> None:
    outcome = run_package(author.write(code), sources=tmp_path)
    assert set(outcome.results.values()) == {result}
    assert message in outcome.message


def test_a_command_on_standard_error_counts_and_standard_input_is_closed(author: Author, tmp_path: Path) -> None:
    package = author.write(
        """
        process.stderr.write('##vso[task.setvariable variable=fromErr]yes\\n');
        process.stdin.on('data', () => {}).on('end', () => console.log('input ended'));
        """
    )
    outcome = run_package(package, sources=tmp_path)
    assert outcome.variables["fromErr"] == "yes"
    assert "input ended" in outcome.lines


def test_a_secret_of_several_lines_is_refused_unless_allowed(author: Author, tmp_path: Path) -> None:
    code = "tl.setVariable('x', 'line-one-abc\\nline-two-abc', true);"
    refused = run_package(author.write(code), sources=tmp_path)
    assert refused.result == Result.FAILED
    assert "multi" in refused.message.lower()
    allowed = run_package(author.write(code), sources=tmp_path, variables={"System.UnsafeAllowMultilineSecret": "TRUE"})
    assert allowed.result == Result.SUCCEEDED, allowed.log
    assert allowed.variables["x"] == Secret("line-one-abc\nline-two-abc")
