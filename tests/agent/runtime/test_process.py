"""Processes: output as it comes, exit statuses, stopping them."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from sluice.errors import TaskFailedError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.process import Exit, Graces, Sink, run_process


class Taken:
    """A sink that collects, and cancels when it reads a word."""

    def __init__(self, on_word: bytes = b"", action: object = None) -> None:
        self.text = b""
        self.idles = 0
        self._on_word = on_word
        self._action = action

    def feed(self, chunk: bytes) -> None:
        self.text += chunk
        if self._on_word and self._on_word in self.text and callable(self._action):
            self._on_word = b""
            # From another thread, as the orchestrator does.
            threading.Thread(target=self._action, daemon=True).start()

    def idle(self) -> None:
        self.idles += 1

    def sink(self) -> Sink:
        return Sink(feed=self.feed, idle=self.idle, waiting=lambda: not self.text.endswith(b"\n"))


def bash(script: str, taken: Taken, cancellation: Cancellation | None = None, graces: Graces | None = None) -> Exit:
    return run_process(
        ("bash", "-c", script),
        cwd=Path("/"),
        env=dict(os.environ),
        output=taken.sink(),
        cancellation=cancellation or Cancellation(),
        graces=graces,
    )


def alive(pid: int) -> bool:
    """Zombies don't count: nobody here reaps grandchildren."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def until_dead(pid: int, seconds: float = 5) -> bool:
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        threading.Event().wait(0.01)
    return not alive(pid)


def test_both_streams_come_in_the_order_written() -> None:
    taken = Taken()
    assert bash("echo 1; echo 2 >&2; echo 3; exit 7", taken) == Exit(code=7)
    assert taken.text == b"1\n2\n3\n"


def test_streams_are_kept_apart_on_request() -> None:
    output, errors = Taken(), Taken()
    end = run_process(
        ("bash", "-c", "echo out; echo err >&2"),
        cwd=Path("/"),
        env=dict(os.environ),
        output=output.sink(),
        errors=errors.sink(),
        cancellation=Cancellation(),
    )
    assert end == Exit(code=0)
    assert (output.text, errors.text) == (b"out\n", b"err\n")


def test_no_byte_is_lost_of_much_output() -> None:
    taken = Taken()
    bash("seq 1 400000", taken)
    assert taken.text == b"".join(b"%d\n" % number for number in range(1, 400001))


def test_standard_input_is_empty() -> None:
    taken = Taken()
    assert bash("cat; echo end", taken).code == 0
    assert taken.text == b"end\n"


def test_standard_input_is_what_was_given_and_no_more() -> None:
    taken = Taken()
    arguments = {"cwd": Path("/"), "env": dict(os.environ), "output": taken.sink(), "cancellation": Cancellation()}
    run_process(("cat",), **arguments, given=b"secret")  # type: ignore[arg-type]
    assert taken.text == b"secret"
    with pytest.raises(TaskFailedError, match="more than 4096 bytes"):
        run_process(("cat",), **arguments, given=b"x" * 4097)  # type: ignore[arg-type]


def test_an_unfinished_line_is_noticed_while_the_process_goes_on() -> None:
    taken = Taken()
    bash("printf 'working... '; sleep 0.8; echo done", taken)
    assert taken.idles >= 1


def test_a_program_that_is_missing_fails_with_its_name() -> None:
    with pytest.raises(TaskFailedError, match="cannot start /does/not/exist"):
        run_process(("/does/not/exist",), cwd=Path("/"), env={}, output=Taken().sink(), cancellation=Cancellation())
    with pytest.raises(TaskFailedError, match="null byte"):
        run_process(("x\0y",), cwd=Path("/"), env={}, output=Taken().sink(), cancellation=Cancellation())


def test_a_canceled_script_and_all_of_its_group_are_dead_within_a_second() -> None:
    cancellation = Cancellation()
    taken = Taken(b"ready", cancellation.cancel)
    begun = time.monotonic()
    end = bash("sleep 100 & echo child $! ready; wait", taken, cancellation)
    assert time.monotonic() - begun < 1
    assert end.code in {-signal.SIGINT, 128 + signal.SIGINT}
    assert until_dead(int(taken.text.split()[1]), 1)


def test_a_script_may_clean_up_when_it_is_interrupted() -> None:
    cancellation = Cancellation()
    taken = Taken(b"ready", cancellation.cancel)
    end = bash("trap 'echo cleaned; exit 5' INT; sleep 100 & echo ready; wait", taken, cancellation)
    assert taken.text == b"ready\ncleaned\n"
    assert end.code == 5


def test_a_process_that_ignores_signals_is_killed_after_both_graces() -> None:
    cancellation = Cancellation()
    taken = Taken(b"ready", cancellation.cancel)
    script = """
import os, signal, time
signal.signal(signal.SIGINT, lambda *_: os.write(1, b"int\\n"))
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"term\\n"))
os.write(1, b"ready\\n")
while True: time.sleep(10)
"""
    end = run_process(
        (sys.executable, "-c", script),
        cwd=Path("/"),
        env=dict(os.environ),
        output=taken.sink(),
        cancellation=cancellation,
        graces=Graces(interrupt=0.2, terminate=0.2),
    )
    assert end.code == -signal.SIGKILL
    assert taken.text == b"ready\nint\nterm\n"


def test_killing_waits_for_nothing() -> None:
    cancellation = Cancellation()
    taken = Taken(b"ready", cancellation.kill)
    begun = time.monotonic()
    end = bash("trap '' INT TERM; echo $$ ready; while :; do sleep 1; done", taken, cancellation)
    assert end.code == -signal.SIGKILL
    assert time.monotonic() - begun < 1


def test_a_second_request_kills_what_the_first_only_asked() -> None:
    cancellation = Cancellation()

    def twice() -> None:
        cancellation.cancel()
        cancellation.kill()

    taken = Taken(b"ready", twice)
    assert bash("trap '' INT TERM; echo ready; while :; do sleep 1; done", taken, cancellation).code == -signal.SIGKILL


def test_a_process_canceled_before_it_starts_does_not_run_on() -> None:
    cancellation = Cancellation()
    cancellation.kill()
    begun = time.monotonic()
    assert bash("sleep 100", Taken(), cancellation).code == -signal.SIGKILL
    assert time.monotonic() - begun < 1


def test_a_process_left_in_the_background_goes_on() -> None:
    taken = Taken()
    end = bash("sleep 100 >/dev/null 2>&1 & echo $!", taken)
    pid = int(taken.text)
    assert end == Exit(code=0)
    assert alive(pid)
    os.kill(pid, signal.SIGKILL)


def test_output_held_open_by_a_background_process_does_not_hold_us() -> None:
    taken = Taken()
    begun = time.monotonic()
    end = bash("sleep 100 & echo $!; echo end", taken, graces=Graces(linger=0.3))
    assert end == Exit(code=0, left_open=True)
    assert time.monotonic() - begun < 3
    assert taken.text.endswith(b"end\n")
    os.kill(int(taken.text.split()[0]), signal.SIGKILL)


def test_closed_output_does_not_mean_the_end() -> None:
    taken = Taken()
    assert bash("exec >/dev/null 2>&1; sleep 0.2; exit 9", taken).code == 9


def test_descriptors_are_given_back() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        bash("echo x", Taken())
    assert len(list(Path("/proc/self/fd").iterdir())) == before
