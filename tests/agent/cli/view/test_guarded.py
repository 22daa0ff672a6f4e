from __future__ import annotations

import errno
import io
import os
from typing import TYPE_CHECKING

import pytest

from sluice.cli.view.guarded import GuardedView
from sluice.cli.view.plain import PlainView

if TYPE_CHECKING:
    from tests.agent.cli.view.conftest import Story


class Failing(io.StringIO):
    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, text: str) -> int:
        raise self.error


def shown_to(error: Exception, story: Story) -> GuardedView:
    view = GuardedView(PlainView(Failing(error)))
    plan = story.plan()
    view.run_started(story.run, plan, story.pending(plan))
    view.log_written(story.record("Task", "Job.__default.Bash1"), b"hello\n")
    with view.suspended():
        pass
    view.run_finished(story.run, [])
    view.close()
    return view


def test_a_reader_that_has_gone_ends_the_view_in_silence(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown_to(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)), story).lost
    assert capsys.readouterr().err == ""


def test_a_full_disk_is_told_once(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown_to(OSError(errno.ENOSPC, "No space left on device"), story).lost
    said = "sluice: the output cannot be written: No space left on device; the run goes on unseen\n"
    assert capsys.readouterr().err == said


def test_a_defect_of_a_view_keeps_its_traceback_and_harms_nothing(
    story: Story, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown_to(ZeroDivisionError("oops"), story).lost
    said = capsys.readouterr().err
    assert said.count("Traceback") == 1
    assert "the run goes on unseen" in said


def test_a_view_that_cannot_even_be_closed_harms_nothing(story: Story, capsys: pytest.CaptureFixture[str]) -> None:
    class Closing(PlainView):
        def close(self) -> None:
            raise ZeroDivisionError

    for stream in (io.StringIO(), Failing(BrokenPipeError())):
        view = GuardedView(Closing(stream))
        view.run_started(story.run, story.plan(), [])
        view.close()
        assert view.lost
    assert capsys.readouterr().err.count("Traceback") == 1


def test_a_question_that_fails_is_not_the_views_failure(story: Story) -> None:
    view = GuardedView(PlainView(io.StringIO()))
    with pytest.raises(KeyError), view.suspended():
        raise KeyError
    assert not view.lost
