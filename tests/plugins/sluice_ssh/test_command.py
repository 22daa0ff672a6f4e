from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.plugin import TaskFailedError
from sluice.testing.ssh_host import SshHost
from sluice_ssh import _command
from sluice_ssh._command import Ended, Greeting, Stop, run_command
from sluice_ssh._host import Host, open_host

NONCE = "5f0c9a"


@given(st.binary(max_size=60), st.binary(max_size=60), st.integers(0, 10**20 - 1), st.data())
def test_the_greeting_is_found_however_the_output_is_cut(
    before: bytes, after: bytes, group: int, data: st.DataObject
) -> None:
    text = before + f"{NONCE}:{group}:".encode() + after
    greeting = Greeting(NONCE)
    passed = b""
    position = 0
    while position < len(text):
        size = data.draw(st.integers(1, len(text) - position))
        passed += greeting.feed(text[position : position + size])
        position += size
    assert greeting.group == group
    assert passed + greeting.rest() == before + after


@given(st.lists(st.one_of(st.binary(max_size=20), st.sampled_from([b"5f0c", b"5f0c9a:", b"9a:1", b"12"]))))
def test_output_without_a_greeting_passes_whole(pieces: list[bytes]) -> None:
    greeting = Greeting(NONCE)
    passed = b"".join(greeting.feed(piece) for piece in pieces) + greeting.rest()
    if greeting.group is None:
        assert passed == b"".join(pieces)


@given(st.binary(max_size=50))
def test_complete_lines_are_not_held_back(text: bytes) -> None:
    greeting = Greeting(NONCE)
    if NONCE.encode() not in text:
        assert greeting.feed(text + b"\n") == text + b"\n"


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    with SshHost(password="pw-31e0") as running, open_host(running.connection(), seconds=20) as opened:
        yield opened


def run(host: Host, text: str, *, terminal: bool = False) -> tuple[Ended, str, str]:
    output, errors = bytearray(), bytearray()
    with contextlib.closing(Stop()) as stop:
        ended = run_command(host, text, output=output.extend, errors=errors.extend, stop=stop, terminal=terminal)
    return ended, output.decode(), errors.decode()


def test_both_streams_and_the_exit_code_arrive(host: Host) -> None:
    assert run(host, "echo out; echo err >&2; exit 9") == (Ended(9, wrote_errors=True), "out\n", "err\n")


@pytest.mark.parametrize(
    "text",
    [
        "echo 'single' \"double\" \\$x `echo y` $(echo z) !! %s \\n",
        "for i in 1 2; do\n  echo $i\ndone",
        "cat <<'X'\n a\n\tb\nX",
        "echo 'ünïcødé 日本語'",
        "# only a comment",
        "",
    ],
)
def test_the_text_of_a_command_reaches_the_shell_unchanged(host: Host, text: str) -> None:
    import subprocess

    local = subprocess.run(["/bin/sh", "-c", text], check=False, capture_output=True, text=True)
    assert run(host, text)[1] == local.stdout
    assert run(host, text, terminal=True)[1].replace("\r\n", "\n") == local.stdout


def test_standard_input_is_empty(host: Host) -> None:
    assert run(host, "cat; echo end")[1] == "end\n"


def test_a_terminal_is_given_only_if_asked(host: Host) -> None:
    assert run(host, "test -t 0 && test -t 1")[0].exit_code == 1
    assert run(host, "test -t 0 && test -t 1", terminal=True)[0].exit_code == 0


def test_nothing_is_typed_into_a_question_for_a_password(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_command, "PROMPT_SECONDS", 0.2)
    with pytest.raises(TaskFailedError, match="waits for a password on its terminal"):
        run(host, "printf '[sudo] password for deploy: '; read word; echo got $word", terminal=True)


def test_a_long_command_reaches_a_terminal_whole(host: Host) -> None:
    assert run(host, f"printf %s {'x' * 20_000} | wc -c", terminal=True)[1].strip() == "20000"


def test_stopping_twice_and_after_the_end_is_harmless() -> None:
    stop = Stop()
    stop.ask()
    stop.ask()
    stop.close()
    late = Stop()
    late.close()
    late.ask()
    assert late.asked
