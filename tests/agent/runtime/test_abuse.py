"""Attacks on a job, carried out for real."""

from __future__ import annotations

import base64
import json
import os
import urllib.parse
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.plugin import Connection, Secret, Task, TaskRun
from sluice.runtime.request import ConnectionInput, Result

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs, Ran

COMMANDS = (
    "##vso[task.setvariable variable=evil]yes",
    "##vso[task.prependpath]/tmp/evil",
    "##vso[task.complete result=Failed]",
    "##vso[task.logissue type=error]evil",
)


def test_a_commit_message_that_a_step_echoes_commands_nothing(jobs: Jobs) -> None:
    message = "fix " + " ".join(COMMANDS)
    ran = jobs.run(
        jobs.script('echo "$BUILD_SOURCEVERSIONMESSAGE"; echo "$(Build.SourceVersionAuthor)"'),
        jobs.script("echo [$EVIL] $PATH", "B"),
        variables=jobs.variables(
            **{"Build.SourceVersionMessage": message, "Build.SourceVersionAuthor": COMMANDS[0].replace("vso", "VsO")}
        ),
    )
    assert ran.outcome == Result.SUCCEEDED
    assert ran.issues() == []
    assert ran.output("A")[0] == message.replace("##vso", "**vso")
    assert ran.output("B")[0].startswith("[] ")
    assert "/tmp/evil" not in ran.output("B")[0]


@pytest.mark.parametrize("line", COMMANDS)
@pytest.mark.parametrize(
    "frame",
    [
        lambda line: [line + "\n"],
        lambda line: [line.swapcase() + "\n"],
        lambda line: ["before " + line + "\n"],
        lambda line: [line[:7], line[7:] + "\n"],
        lambda line: ["\x1b[31m" + line + "\x1b[0m\n"],
        lambda line: ["x\r" + line + "\r"],
        lambda line: [line],
        lambda line: list(line + "\n"),
    ],
)
def test_what_a_remote_host_prints_commands_nothing(jobs: Jobs, line: str, frame: object) -> None:
    assert callable(frame)
    pieces = frame(line)

    def run(task: TaskRun) -> None:
        write = task.stream()
        for piece in pieces:
            write(piece.encode())
        write(b"")
        task.say("".join(pieces))

    jobs.tasks["Acme@1"] = Task("Acme@1", run, inputs=())
    ran = jobs.run(jobs.step("Acme@1"), jobs.script("echo [$EVIL] $PATH", "B"))
    assert ran.outcome == Result.SUCCEEDED
    assert ran.issues() == []
    assert ran.output("B")[0].startswith("[] ")
    assert "/tmp/evil" not in ran.output("B")[0]
    assert ran.log("A").casefold().count(line.casefold()) == 2


def test_a_log_line_does_not_change_a_connection(jobs: Jobs) -> None:
    seen: list[str] = []
    jobs.tasks["Acme@1"] = Task("Acme@1", lambda run: seen.append(run.connection("depot").url), inputs=())
    jobs.connections.known = {"one": Connection(id="c-1", name="one", type="acme", url="https://right")}
    ran = jobs.run(
        jobs.script("echo '##vso[task.setendpoint id=c-1;field=url]https://evil'"),
        jobs.step(
            "Acme@1", "B", inputs={"depot": "one"}, connection_inputs=(ConnectionInput(name="depot", written="depot"),)
        ),
    )
    assert seen == ["https://right"]
    assert ran.issues("A")[0][0] == "warning"


SECRET = "S3cr3t/With+Odd'Chars&more"
KEY = "-----BEGIN KEY-----\nZmlyc3QgbGluZSBvZiB0aGUga2V5\nc2Vjb25kIGxpbmUgb2YgdGhlIGtleQ\n-----END KEY-----\n"


def test_declared_spellings_of_a_secret_are_masked_in_what_scripts_print(jobs: Jobs) -> None:
    script = r"""
    printf '%s\n' "$T"
    for pad in '' x xx; do printf '%s' "$pad$T" | base64; done
    printf '%s' "$T" | od -An -tx1 -v | tr -d ' \n'; echo
    python3 -c 'import os, json, urllib.parse; t = os.environ["T"]; print(json.dumps(t), urllib.parse.quote(t, safe=""))'
    set -x; : "$T"
    """
    ran = jobs.run(jobs.script(script, env={"T": "$(t)"}), variables=jobs.variables(t=Secret(SECRET)))
    assert ran.outcome == Result.SUCCEEDED
    log = ran.log()
    forms = (SECRET, base64.b64encode(SECRET.encode()).decode(), SECRET.encode().hex(), urllib.parse.quote(SECRET, ""))
    assert not [form for form in forms if form in log]
    assert json.dumps(SECRET)[1:-1] not in log
    assert SECRET[:12] not in log
    assert base64.b64encode(f"x{SECRET}".encode()).decode()[4:20] not in log


@pytest.mark.parametrize("reader", ["cat", "sed 's/^/    /'", "sed 's/$/\\r/'", "tail -n 3", "tac"])
def test_a_key_is_masked_line_by_line(jobs: Jobs, reader: str) -> None:
    ran = jobs.run(
        jobs.script(f'printf %s "$K" | {reader}', env={"K": "$(k)"}), variables=jobs.variables(k=Secret(KEY))
    )
    assert ran.outcome == Result.SUCCEEDED
    assert "***" in ran.log("A")
    for line in KEY.splitlines()[1:3]:
        assert line not in ran.log()


def test_a_secret_in_pieces_is_masked(jobs: Jobs) -> None:
    script = r"""
    printf '%s' "${T:0:7}"; sleep 0.7; printf '%s\n' "${T:7}"
    head -c 65530 /dev/zero | tr '\0' x; printf '%s\n' "$T"
    printf '\xff\xfe%s\xff' "$T"
    """
    ran = jobs.run(jobs.script(script, env={"T": "$(t)"}), variables=jobs.variables(t=Secret(SECRET)))
    lines = ran.output("A")
    assert lines == ["***", "x" * 65530 + "***", "\udcff\udcfe***\udcff"]


def test_secrets_in_data_of_a_connection_are_masked_while_debugging(jobs: Jobs) -> None:
    def run(task: TaskRun) -> None:
        connection = task.connection("depot")
        for secret in connection.secrets():
            task.say(secret.reveal())
            task.warn(f"about {secret.reveal()}")
            task.progress(10, secret.reveal())
        raise ValueError(f"cannot use {connection}: {KEY}")

    jobs.tasks["Acme@1"] = Task("Acme@1", run, inputs=())
    jobs.connections.known = {
        "one": Connection(
            id="c-1",
            name="one",
            type="acme",
            parameters={"password": Secret("pa55word-one")},
            data={"PrivateKey": Secret(KEY)},
            linked={"jump": Connection(id="c-2", name="j", type="acme", parameters={"p": Secret("pa55word-jump")})},
        )
    }
    ran = jobs.run(
        jobs.step("Acme@1", inputs={"depot": "one"}, connection_inputs=(ConnectionInput(name="depot", written="d"),)),
        variables=jobs.variables(**{"System.Debug": "true"}),
    )
    told = repr(ran.events)
    for canary in ("pa55word-one", "pa55word-jump", *KEY.splitlines()[1:3]):
        assert canary not in told


def test_no_secret_is_in_a_command_line_or_left_on_the_disk(jobs: Jobs, tmp_path: Path) -> None:
    script = """
    # $(t)
    for file in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $file; echo; done 2>/dev/null | rev > cmdlines
    """
    ran = jobs.run(jobs.script(script), variables=jobs.variables(t=Secret("canary-9f8e7d")))
    assert ran.outcome == Result.SUCCEEDED
    for path in tmp_path.rglob("*"):
        if path.is_file():
            text = path.read_bytes()
            assert b"canary-9f8e7d" not in text
            assert b"d7e8f9-yranac" not in text
    assert b"canary-9f8e7d" not in Path(f"/proc/{os.getpid()}/environ").read_bytes()


@pytest.mark.parametrize(
    "name",
    [
        *("BA\u017fH_ENV", "NODE_OPT\u0131ONS", "HOME", "KUBECONFIG", "DOCKER_HOST", "git.askpass", "GIT_DIR", "GIT_x"),
        *("process.clean", "vsts.process.lookup.id", "system.unsafeAllowMultilineSecret", "agent.source.skip"),
        *("https_proxy", "XDG_CONFIG_HOME", "SSH_AUTH_SOCK", "LD_AUD\u0131T", "AZP_IGNORE_SECRETS_SHORTER_THAN"),
    ],
)
def test_no_spelling_lets_a_restricted_step_set_what_decides_later_code(jobs: Jobs, name: str) -> None:
    line = f"##vso[task.setvariable variable={name}]evil"
    ran = jobs.run(jobs.script(f"echo '{line}'", restricted=True), jobs.script("env | grep evil; true", "B"))
    assert ran.output("B") == []
    assert any("disabled" in message or "not permitted" in message for _, message in ran.issues("A"))


@pytest.mark.parametrize(
    "name",
    [
        *(
            "Build_Reason",
            "BUILD REASON",
            "build_reason",
            "BU\u0131LD.Reason",
            "agent_tempdirectory",
            "Agent.TempDirectory",
        ),
        *("vsts.process.lookup.id", "TF.BUILD", "system_defaultWorkingDirectory"),
    ],
)
@pytest.mark.parametrize("properties", ["", "issecret=true;", "preservecase=true;", "isreadonly=true;"])
def test_no_spelling_overwrites_what_is_predefined(jobs: Jobs, name: str, properties: str) -> None:
    line = f"##vso[task.setvariable variable={name};{properties}]forged"
    ran = jobs.run(
        jobs.script(f"echo '{line}'", continue_on_error=True),
        jobs.script("env | grep -i -E '^(build_reason|agent_temp|vsts_process|tf_build|system_default)' | sort", "B"),
        variables=jobs.variables(**{"Build.Reason": "Manual"}),
    )
    seen = ran.output("B")
    assert [line.partition("=")[0] for line in seen] == [
        *(
            "AGENT_TEMPDIRECTORY",
            "BUILD_REASON",
            "SYSTEM_DEFAULTWORKINGDIRECTORY",
            "TF_BUILD",
            "VSTS_PROCESS_LOOKUP_ID",
        ),
    ]
    assert not any("forged" in line for line in seen)
    assert any("not permitted" in message for _, message in ran.issues("A"))


def test_a_predefined_variable_wins_over_one_of_the_pipeline_that_is_spelled_like_it(jobs: Jobs) -> None:
    variables = {"Build.Reason": "Manual", "build_reason": "forged", "vsts.process.lookup.id": "none"}
    ran = jobs.run(jobs.script("echo $BUILD_REASON $VSTS_PROCESS_LOOKUP_ID"), variables=jobs.variables(**variables))
    assert ran.output("A")[0].startswith("Manual vsts_")


def test_an_output_variable_does_not_become_a_predefined_one_or_a_loaders(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.setvariable variable=Reason;isoutput=true]forged'", "Build"),
        jobs.script("echo '##vso[task.setvariable variable=ENV;isoutput=true]/evil'", "BASH", restricted=True),
        jobs.script("echo [$BUILD_REASON] [$BASH_ENV]", "B", condition="always()"),
        variables=jobs.variables(**{"Build.Reason": "Manual"}),
    )
    assert ran.output("B") == ["[Manual] []"]


def test_another_spelling_does_not_overwrite_what_a_step_made_read_only(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.setvariable variable=my.own;isreadonly=true]kept'"),
        jobs.script("echo '##vso[task.setvariable variable=my_own]forged'", "B"),
        jobs.script("echo $MY_OWN", "C"),
    )
    assert ran.output("C") == ["kept"]


def test_no_spelling_of_a_variable_passes_as_a_tasks_input(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script("echo '##vso[task.setvariable variable=\u0131nput_script]forged'"),
        jobs.script("env | grep -c forged; true", "B"),
    )
    assert ran.output("B") == ["0"]


SECRET = "Sup3rS3cretValue!42"


def _told(ran: Ran) -> str:
    return ran.log() + repr(ran.issues()) + repr([event.message for event in ran.finished()])


@pytest.mark.parametrize(
    "script",
    [
        "printf '%s' '{0}' >&2; sleep 0.1; printf '%s\\n' '{1}' >&2",
        "head -c 990 /dev/zero | tr '\\0' x > x; echo '{0}{1}' >> x; cat x >&2",
        "echo '##vso[task.setvariable variable=v;issecret=true]0815-NEW-SECRET' >&2; echo 0815-NEW-SECRET >&2",
        "printf '##vso[task.setsecret]0815-NEW' >&2; sleep 0.1; echo -SECRET >&2",
    ],
)
def test_standard_error_tells_no_piece_of_a_secret(jobs: Jobs, script: str) -> None:
    text = script.format(SECRET[:9], SECRET[9:])
    step = jobs.step("Bash@3", inputs={"targetType": "inline", "script": text, "failOnStderr": "true"})
    ran = jobs.run(step, variables=jobs.variables(token=Secret(SECRET)))
    assert ran.outcome == Result.FAILED
    told = _told(ran).replace(text, "")
    for piece in (SECRET[:6], SECRET[9:], "0815", "NEW"):
        assert piece not in told.partition("[command]")[2]
    assert len(ran.issues()) > 1 or "vso" in script


@pytest.mark.parametrize(
    "line",
    [
        "##vso[task.setvariable variable=;issecret=true]{}",
        "##vso[task.setvariable issecret=true]{}",
        "##vso[task.setvariable variable=Build.Reason;issecret=true]{}",
        "##vso[task.settaskvariable variable=;issecret=true]{}",
        "##vso[nothing.setvariable variable=x;issecret=true]{}",
        "##vso[release.setvariable variable=x;issecret=true]{}",
        "##vso[task.set.variable variable=x;issecret=true]{}",
        "##vso[task.setvariable variable=x;issecret=true;{}",
        "##vso[setsecret]{}",
    ],
)
@pytest.mark.parametrize("restricted", [False, True])
def test_a_secret_whose_command_is_refused_is_not_printed(jobs: Jobs, line: str, restricted: bool) -> None:
    script = f"a={SECRET[:9]}; b='{SECRET[9:]}'; printf '%s\n' \"{line.format('$a$b')}\""
    ran = jobs.run(jobs.script(script, restricted=restricted, settable=("none",) if restricted else None))
    assert SECRET not in _told(ran)


def test_an_output_that_holds_a_secret_is_kept_like_a_secret_one(jobs: Jobs) -> None:
    ran = jobs.run(
        jobs.script(
            f"echo '##vso[task.setvariable variable=o;isoutput=true]url?token={SECRET}'\n"
            "echo '##vso[task.setvariable variable=late;isoutput=true]0815-later-0815'\n"
            "echo '##vso[task.setvariable variable=plain;isoutput=true]plain'; echo '##vso[task.setsecret]0815-later'"
        ),
        jobs.script("echo $A_O | rev; echo '$(A.o)' | rev", "B"),
        variables=jobs.variables(token=Secret(SECRET)),
    )
    first = ran.finished()[0]
    assert first.outputs == {"o": Secret(f"url?token={SECRET}"), "late": Secret("0815-later-0815"), "plain": "plain"}
    assert first.progress.outputs["A.o"] == Secret(f"url?token={SECRET}")
    assert ran.output("B") == [f"url?token={SECRET}"[::-1]] * 2


@pytest.mark.parametrize("task", ["CmdLine@2", "Bash@3"])
def test_a_later_step_does_not_find_the_script_of_an_earlier_one(jobs: Jobs, task: str) -> None:
    inputs = {"targetType": "inline", "script": "echo '$(token)' > /dev/null; exit 3"}
    ran = jobs.run(
        jobs.step(task, inputs=inputs, continue_on_error=True),
        jobs.script('ls -A "$AGENT_TEMPDIRECTORY" | wc -l; grep -r Sup3r[S]3 "$AGENT_TEMPDIRECTORY" | wc -l', "B"),
        variables=jobs.variables(token=Secret(SECRET)),
    )
    assert ran.output("B") == ["2", "0"]  # the tools' folder and the script that looks
