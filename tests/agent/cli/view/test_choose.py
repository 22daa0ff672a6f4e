from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest

from sluice.cli.view.choose import choose_view
from sluice.cli.view.live import LiveView
from sluice.cli.view.plain import PlainView
from sluice.cli.view.silent import SilentView


@pytest.fixture
def terminal() -> Iterator[TextIO]:
    master, slave = pty.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as stream:
        yield stream
    os.close(master)


def test_a_terminal_gets_the_live_view(terminal: TextIO) -> None:
    assert isinstance(choose_view(terminal, {"TERM": "xterm", "NO_COLOR": "", "CI": "false"}), LiveView)


@pytest.mark.parametrize("environ", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}, {"CI": "true"}])
def test_a_terminal_that_wants_plain_lines_gets_them(terminal: TextIO, environ: dict[str, str]) -> None:
    assert isinstance(choose_view(terminal, {"TERM": "xterm", **environ}), PlainView)


def test_anything_else_gets_plain_lines() -> None:
    assert isinstance(choose_view(io.StringIO(), {"TERM": "xterm"}), PlainView)


def test_json_is_printed_by_the_command_alone(terminal: TextIO) -> None:
    assert isinstance(choose_view(terminal, {"TERM": "xterm"}, output="json"), SilentView)
