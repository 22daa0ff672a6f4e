"""Handlers that do not stop."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from sluice.plugin import CanceledError, Task, TaskRun
from sluice.runtime import handler_thread
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.handler_thread import HandlerStuckError, run_in_time
from sluice.runtime.request import Result

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs


def test_what_the_work_raises_is_raised() -> None:
    def work() -> None:
        raise ZeroDivisionError("broken")

    with pytest.raises(ZeroDivisionError, match="broken"):
        run_in_time(work, Cancellation())


def test_a_handler_may_take_its_time_while_nobody_cancels() -> None:
    done: list[int] = []

    def work() -> None:
        threading.Event().wait(0.05)
        done.append(1)

    run_in_time(work, Cancellation())
    assert done == [1]


def test_a_canceled_handler_that_ends_in_order_is_waited_for() -> None:
    cancellation = Cancellation()
    steps: list[str] = []

    def work() -> None:
        cancellation.cancel()
        threading.Event().wait(0.05)
        steps.append("cleaned up")

    run_in_time(work, cancellation)
    assert steps == ["cleaned up"]


def test_a_stuck_handler_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler_thread, "KILL_SECONDS", 0.1)
    cancellation = Cancellation()
    release = threading.Event()

    def work() -> None:
        cancellation.kill()
        release.wait(30)

    begun = time.monotonic()
    with pytest.raises(HandlerStuckError):
        run_in_time(work, cancellation)
    assert time.monotonic() - begun < 2
    release.set()


def test_a_job_does_not_wait_for_a_stuck_handler_and_hears_no_more_of_it(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler_thread, "STOP_SECONDS", 0.1)
    release = threading.Event()
    ended: list[BaseException] = []
    over = threading.Event()

    def run(task: TaskRun) -> None:
        release.wait(30)
        try:
            task.say("too late")
        except CanceledError as error:
            ended.append(error)
        over.set()

    jobs.tasks["Acme@1"] = Task("Acme@1", run, inputs=())
    ran = jobs.run(jobs.step("Acme@1", timeout_seconds=0.1))
    assert ran.outcome == Result.FAILED
    assert [message for _, message in ran.issues()] == [
        "Acme@1 did not stop when it was told to, and is left behind.",
        "The task has timed out.",
    ]
    release.set()
    assert over.wait(5)
    assert len(ended) == 1
    assert "too late" not in ran.log()
