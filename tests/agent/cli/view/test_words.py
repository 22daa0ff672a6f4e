from __future__ import annotations

import shlex
from dataclasses import replace
from typing import Any

import pytest

from sluice.cli.view import words
from sluice.runs.outcomes import elapsed


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.6, "1 m 00 s"),
        (65, "1 m 05 s"),
        (3599.6, "1 h 00 m"),
        (90000, "25 h 00 m"),
    ],
)
def test_a_duration_is_short(seconds: float, text: str) -> None:
    assert elapsed(seconds) == text


def test_a_path_leaves_out_what_nobody_wrote() -> None:
    assert words.path("Build.Linux.__default") == "Build.Linux"
    assert words.job_path("Job.__default.CmdLine1") == "Job"


def test_a_title_has_the_display_name_where_it_says_more(story: Any) -> None:
    assert words.title(story.record("Job", "Build.Linux.__default", "Linux")) == "Build.Linux"
    assert words.title(story.record("Job", "Build.Linux", "On Linux", attempt=2)) == "Build.Linux (On Linux), attempt 2"


def test_the_permit_command_survives_a_shell(story: Any) -> None:
    request = story.request("it's; rm -rf\n/")
    assert shlex.split(words.permit_command(request)) == ["sluice", "permit", "12", "--connection", "it's; rm -rf /"]


def test_the_permit_command_of_a_variable_group_says_so(story: Any) -> None:
    request = replace(story.request("my settings"), resource_type="variablegroup")
    assert words.resource(request) == "Variable group 'my settings'"
    assert words.permit_command(request) == "sluice permit 12 --variable-group 'my settings'"


def test_an_issue_names_its_place_in_the_source() -> None:
    issue = {"type": "error", "message": "bad\x1b[2J\nthing", "data": {"sourcepath": "a.c", "linenumber": "3"}}
    assert words.issue_text(issue) == "bad thing (a.c:3)"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("a.py(3,0): warning: careful", "careful (a.py:3)"),
        ("a.py(3,4): error E1: bad: worse", "E1: bad: worse (a.py:3)"),
        ("a.py(3,4)", "a.py(3,4) (a.py:3)"),
        ("b.py(3,0): warning: careful", "b.py(3,0): warning: careful (a.py:3)"),
    ],
)
def test_a_place_is_told_once(message: str, text: str) -> None:
    issue = {"type": "warning", "message": message, "data": {"sourcepath": "a.py", "linenumber": "3"}}
    assert words.issue_text(issue) == text
