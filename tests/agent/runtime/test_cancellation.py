"""Cancellation: two levels, actions, children, deadlines."""

from __future__ import annotations

import threading

import pytest

from sluice.runtime.cancellation import TIMED_OUT, Cancellation


def test_an_action_runs_once_however_often_it_is_canceled() -> None:
    cancellation = Cancellation()
    calls: list[str] = []
    cancellation.on_cancel(lambda: calls.append("stop"))
    cancellation.cancel("no longer needed")
    cancellation.cancel("again")
    cancellation.kill()
    assert calls == ["stop"]
    assert cancellation.canceled
    assert cancellation.killed
    assert cancellation.reason == "no longer needed"


def test_an_action_given_too_late_runs_at_once() -> None:
    cancellation = Cancellation()
    calls: list[str] = []
    cancellation.kill()
    cancellation.on_cancel(lambda: calls.append("cancel"))
    cancellation.on_kill(lambda: calls.append("kill"))
    assert calls == ["cancel", "kill"]


def test_an_action_can_be_taken_back() -> None:
    cancellation = Cancellation()
    calls: list[str] = []
    take_back = cancellation.on_cancel(lambda: calls.append("stop"))
    take_back()
    cancellation.cancel()
    assert calls == []


def test_a_raising_action_does_not_keep_the_next_from_running() -> None:
    cancellation = Cancellation()
    calls: list[str] = []

    def broken() -> None:
        raise ValueError("broken")

    cancellation.on_cancel(broken)
    cancellation.on_cancel(lambda: calls.append("second"))
    with pytest.raises(ValueError, match="broken"):
        cancellation.cancel()
    assert calls == ["second"]


def test_a_child_follows_its_parent_and_not_the_other_way() -> None:
    parent = Cancellation()
    child = parent.child()
    child.cancel()
    assert not parent.canceled
    other = parent.child()
    parent.cancel("why")
    assert other.canceled
    assert other.reason == "why"


def test_a_shielded_scope_is_only_killed_with_its_parent() -> None:
    parent = Cancellation()
    with parent.scope(shielded=True) as scope:
        parent.cancel()
        assert not scope.canceled
        parent.kill()
        assert scope.killed


def test_a_scope_that_was_left_is_not_canceled_any_more() -> None:
    parent = Cancellation()
    with parent.scope() as scope:
        pass
    parent.kill()
    assert not scope.canceled


def test_a_deadline_cancels_from_another_thread_and_says_so() -> None:
    cancellation = Cancellation()
    threads: list[threading.Thread] = []
    cancellation.on_cancel(lambda: threads.append(threading.current_thread()))
    with cancellation.deadline(0.01):
        assert cancellation.wait(10)
    assert cancellation.timed_out
    assert cancellation.reason == TIMED_OUT
    assert threads != [threading.current_thread()]


def test_a_deadline_that_was_met_cancels_nothing() -> None:
    cancellation = Cancellation()
    with cancellation.deadline(0.02):
        pass
    with cancellation.deadline(0):
        pass
    assert not cancellation.wait(0.04)


def test_canceling_inside_an_action_does_not_block() -> None:
    cancellation = Cancellation()
    cancellation.on_cancel(cancellation.kill)
    cancellation.cancel()
    assert cancellation.killed
