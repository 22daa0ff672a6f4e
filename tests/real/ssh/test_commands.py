"""`SSH@0` against a real OpenSSH server."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import Giver

from sluice.plugin import Secret
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task

pytestmark = pytest.mark.real

CANARY = "canary-4fb1c9d2"
NEEDS_TERMINAL = pytest.mark.skipif(os.getuid() != 0, reason="an sshd that root did not start gives no terminals")


def ssh(sshd: Any, connection: Any = None, **options: Any) -> TaskOutcome:
    """Run SSH@0; inputs are keyword arguments, those of the runner are `secrets`, `cancellation`, `tell`, `sources`."""
    runner = {name: options.pop(name) for name in ("secrets", "cancellation", "tell", "sources") if name in options}
    return run_task("SSH@0", inputs=options, connections={"sshEndpoint": connection or sshd.connection()}, **runner)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has collected yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_commands_run_one_after_another_each_in_a_session_of_its_own(
    sshd: Any, tmp_path: Path, evidence: Giver
) -> None:
    outcome = ssh(sshd, commands=f"cd {tmp_path}; pwd\n  X=1  \necho [$X]\n")
    assert outcome.result == Result.SUCCEEDED
    assert outcome.lines[2:] == [f"cd {tmp_path}; pwd", str(tmp_path), "X=1", "echo [$X]", "[]"]
    evidence("ssh", "UsernamePassword", "used", "OpenSSH", task="SSH@0")


def test_the_first_command_that_fails_ends_the_task(sshd: Any) -> None:
    outcome = ssh(sshd, commands="exit 7\necho never")
    assert outcome.result == Result.FAILED
    assert outcome.message == "sshd: Command failed with exit code 7"
    assert "never" not in outcome.log


def test_a_command_killed_by_a_signal_says_so(sshd: Any) -> None:
    assert "killed by signal KILL" in ssh(sshd, commands="kill -9 $$", failOnStdErr="false").message
    assert "killed by a signal" in ssh(sshd, commands="kill -9 0", failOnStdErr="false").message


def test_standard_error_fails_the_task_only_if_asked(sshd: Any) -> None:
    failed = ssh(sshd, commands="echo oops >&2")
    assert failed.result == Result.FAILED
    assert "Command failed with errors on remote machine" in failed.message
    assert "oops" in failed.lines
    passed = ssh(sshd, commands="echo oops >&2", failOnStdErr="false")
    assert passed.result == Result.SUCCEEDED
    assert "oops" in passed.lines


@pytest.fixture
def nothing_left_behind() -> Iterator[None]:
    """No uploaded script may be left in the account's home (what others have left there before does not count)."""
    before = set(Path.home().glob("sluice_*"))
    yield
    assert set(Path.home().glob("sluice_*")) <= before


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_script_file_runs_with_its_arguments_and_is_removed(sshd: Any, tmp_path: Path) -> None:
    (tmp_path / "my script.sh").write_bytes(b'#!/bin/sh\r\nstat -c %a "$0"\r\necho "$0" "<$1>" "<$2>"\r\n')
    outcome = ssh(sshd, runOptions="script", scriptPath="my script.sh", args="a 'b c'", sources=tmp_path)
    assert outcome.result == Result.SUCCEEDED
    mode, call = outcome.lines[-2:]
    assert mode == "700"
    assert call.endswith("my script.sh <a> <b c>")


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_script_that_fails_is_removed_too(sshd: Any, tmp_path: Path) -> None:
    (tmp_path / "fail.sh").write_text("#!/bin/sh\nexit 3\n")
    outcome = ssh(sshd, runOptions="script", scriptPath="fail.sh", sources=tmp_path)
    assert "exit code 3" in outcome.message


def test_an_inline_script_gets_the_interpreter(sshd: Any) -> None:
    bash = ssh(sshd, runOptions="inline", inline="echo bash=${BASH_VERSION:+yes}\n")
    assert bash.lines[-1] == "bash=yes"
    shell = ssh(sshd, runOptions="inline", inline="ps -o comm= -p $$", interpreterCommand="/bin/sh")
    assert shell.lines[-1].startswith("sluice_")
    own = ssh(sshd, runOptions="inline", inline="#!/bin/cat\nas it is")
    assert own.lines[-2:] == ["#!/bin/cat", "as it is"]


def test_ten_thousand_lines_arrive_whole_and_in_order(sshd: Any) -> None:
    outcome = ssh(sshd, commands="seq 1 10000")
    assert outcome.lines[3:] == [str(number) for number in range(1, 10001)]


def test_output_arrives_while_the_command_runs(sshd: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def open_gate(line: str) -> None:
        if line == "first":  # the command goes on only if this line got here before its end
            gate.write_text("go\n")

    outcome = ssh(sshd, commands=f"printf 'fir'; echo st; read word < {gate}; echo $word", tell=open_gate)
    assert outcome.lines[-2:] == ["first", "go"]


@pytest.mark.parametrize(
    "command",
    [
        "sleep 1000 & echo pid $!; echo pid $$; wait",
        "exec 2>&-; echo pid $$; exec >&-; sleep 1000",
        "(trap '' TERM HUP; echo pid $(exec sh -c 'echo $PPID'); while :; do sleep 1000; done)",
    ],
    ids=["background", "closed-streams", "deaf-to-term"],
)
def test_canceling_ends_the_remote_processes(sshd: Any, command: str) -> None:
    cancellation = Cancellation()
    pids: list[int] = []
    expected = command.count("pid ")

    def note(line: str) -> None:
        if line.startswith("pid "):
            pids.append(int(line.split()[1]))
            if len(pids) == expected:
                threading.Thread(target=cancellation.cancel).start()

    outcome = ssh(sshd, commands=f"{command}\necho never", cancellation=cancellation, tell=note)
    assert outcome.result == Result.CANCELED
    assert len(pids) == expected
    assert all(is_gone(pid) for pid in pids)
    assert "never" not in outcome.lines


def test_canceling_ends_endless_output(sshd: Any) -> None:
    cancellation = Cancellation()
    outcome = ssh(
        sshd,
        commands="yes",
        cancellation=cancellation,
        tell=lambda line: cancellation.cancel() if line == "y" else None,
    )
    assert outcome.result == Result.CANCELED


@pytest.mark.skipif(os.getuid() == 0, reason="the sshd of root does not take signals for a session of root")
def test_canceling_works_where_only_one_session_is_granted(start_sshd: Any) -> None:
    cancellation = Cancellation()
    pids: list[int] = []

    def note(line: str) -> None:
        if line.startswith("pid "):
            pids.append(int(line.split()[1]))
            cancellation.cancel()

    outcome = ssh(
        start_sshd(MaxSessions="1"),
        commands="echo pid $$; sleep 1000",
        cancellation=cancellation,
        tell=note,
    )
    assert outcome.result == Result.CANCELED
    while not is_gone(pids[0]):
        os.sched_yield()


@NEEDS_TERMINAL
def test_canceling_ends_a_command_on_a_terminal(sshd: Any) -> None:
    cancellation = Cancellation()
    pids: list[int] = []

    def note(line: str) -> None:
        if line.startswith("pid "):
            pids.append(int(line.split()[1]))
            threading.Thread(target=cancellation.cancel).start()

    outcome = ssh(
        sshd, commands="echo pid $$; sleep 1000", interactiveSession="true", cancellation=cancellation, tell=note
    )
    assert outcome.result == Result.CANCELED
    assert all(is_gone(pid) for pid in pids)


@pytest.mark.usefixtures("nothing_left_behind")
def test_a_script_is_removed_when_it_is_canceled(sshd: Any) -> None:
    cancellation = Cancellation()

    def note(line: str) -> None:
        if line == "started":
            cancellation.cancel()

    outcome = ssh(sshd, runOptions="inline", inline="echo started; sleep 1000", cancellation=cancellation, tell=note)
    assert outcome.result == Result.CANCELED


@pytest.mark.parametrize("terminal", ["false", pytest.param("true", marks=NEEDS_TERMINAL)])
def test_no_secret_is_a_process_argument_on_either_side(sshd: Any, tmp_path: Path, terminal: str) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    seen: list[bytes] = []

    def look(line: str) -> None:
        if line == "ready":
            for process in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    seen.append(process.read_bytes())
                except OSError:
                    continue
            gate.write_text("go\n")

    command = f"TOKEN={CANARY}; echo ready; read word < {gate}; echo ${{#TOKEN}}"
    outcome = ssh(sshd, commands=command, interactiveSession=terminal, tell=look, secrets=[Secret(CANARY)])
    assert outcome.lines[-1] == str(len(CANARY))
    assert any(b"sshd" in arguments for arguments in seen)
    assert not [arguments for arguments in seen if CANARY.encode() in arguments]
    assert CANARY not in outcome.log


@pytest.mark.parametrize(
    "text",
    [
        "##vso[task.setvariable variable=PWNED]yes",
        "##VSO[Task.SetVariable variable=PWNED]yes",
        "harmless ##vso[task.setvariable variable=PWNED]yes",
        "\\033[31m##vso[task.prependpath]/tmp/evil\\033[0m",
        "progress\\r##vso[task.complete result=Failed]\\r",
        "##[command]x\\r\\n##vso[task.complete result=Failed]",
    ],
)
def test_what_a_host_prints_is_never_a_command(sshd: Any, text: str) -> None:
    for stream in ("", " >&2"):
        outcome = ssh(
            sshd, commands=f"printf '%b\\n' '{text}'{stream}", failOnStdErr="false", enableRemoteVsoCommands="true"
        )
        assert outcome.result == Result.SUCCEEDED
        assert not outcome.variables
        assert not outcome.outputs
        assert "vso[task." in outcome.log.casefold()
        assert ["no effect" in message for message in outcome.messages("warning")] == [True]


def test_a_command_split_over_two_packets_is_text(sshd: Any, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)

    def open_gate(line: str) -> None:
        if line == "half":
            gate.write_text("go\n")

    outcome = ssh(
        sshd,
        commands=f"printf '##vs'; echo half >&2; read word < {gate}; echo 'o[task.setvariable variable=PWNED]yes'",
        failOnStdErr="false",
        tell=open_gate,
    )
    assert outcome.result == Result.SUCCEEDED
    assert not outcome.variables
    assert "##vso[task.setvariable variable=PWNED]yes" in outcome.log.replace("##vs\nhalf\n", "half\n##vs")


def test_a_host_that_grants_one_session_only_runs_commands(start_sshd: Any) -> None:
    outcome = ssh(start_sshd(MaxSessions="1"), commands="echo one\necho two")
    assert outcome.result == Result.SUCCEEDED


def test_a_forced_command_runs_once_and_its_status_counts(start_sshd: Any, tmp_path: Path) -> None:
    marks = tmp_path / "marks"
    forced = f'sh -c "echo x >> {marks}; echo forced; exit 4"'
    outcome = ssh(start_sshd(ForceCommand=forced), commands="echo mine")
    assert outcome.lines[-2] == "forced"
    assert "exit code 4" in outcome.message
    assert marks.read_text() == "x\n"


def test_a_plain_remote_shell_gets_commands_as_they_are(sshd: Any) -> None:
    outcome = ssh(sshd, sshd.connection(data={"RemoteShell": "plain"}), commands="echo $0; exit 5")
    assert "exit code 5" in outcome.message


def test_a_host_without_file_transfer_says_so_for_scripts(start_sshd: Any) -> None:
    outcome = ssh(start_sshd(Subsystem="none /bin/false"), runOptions="inline", inline="echo never")
    assert "offers no file transfer" in outcome.message


def test_a_host_that_dies_while_a_command_runs_is_not_a_success(start_sshd: Any) -> None:
    sshd = start_sshd()
    pids: list[int] = []

    def kill(line: str) -> None:
        if line.startswith("pids "):
            pids.extend(int(word) for word in line.split()[1:])
            os.kill(pids[0], signal.SIGKILL)

    # The parent of the shell that started ours is the server's process for this connection.
    command = "sleep 1000 & echo pids $(ps -o ppid= -p $PPID) $!; wait"
    outcome = ssh(sshd, commands=command, tell=kill)
    os.kill(pids[1], signal.SIGKILL)
    assert outcome.result == Result.FAILED
    assert "the line to the host broke while a command ran" in outcome.message


@pytest.mark.skipif(os.getuid() == 0, reason="root's sshd gives terminals")
def test_a_host_that_gives_no_terminal_is_a_clear_failure(sshd: Any) -> None:
    outcome = ssh(sshd, commands="true", interactiveSession="true")
    assert "the host refused to run a command" in outcome.message
