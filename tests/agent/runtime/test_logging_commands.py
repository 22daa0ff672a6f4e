"""Parsing of logging commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.runtime.logging_commands import Command, escape, neutralise, parse, unescape, write

CASES = json.loads((Path(__file__).parents[2] / "conformance" / "agent-logging-commands.json").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["line"]))
def test_the_agent_s_vectors(case: dict[str, Any]) -> None:
    command = parse(case["line"], unescape_percents=case["unescape_percents"])
    assert command == Command(case["area"], case["event"], case["properties"], case["data"])


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (
            "##vso[task.setvariable variable=Out.Var;isOutput=true;issecret=false;]50%AZP25;]%0D%0Anext",
            Command(
                "task",
                "setvariable",
                {"variable": "Out.Var", "isoutput": "true", "issecret": "false"},
                "50%;]\r\nnext",
            ),
        ),
        ("abc ##vso[task.debug]x", Command("task", "debug", {}, "x")),
        ("##vso[..task..debug..]m", Command("task", "debug", {}, "m")),
        ("##vso[Task.Debug]x", Command("task", "debug", {}, "x")),
        ("##vso[task.a b", None),
        ("##vso[task]x", None),
        ("##vso[a.b.c]x", None),
        ("##VSO[task.debug]x", None),
        (
            "##vso[task.setvariable variable=t%AZP25]a%AZP25 %25",
            Command("task", "setvariable", {"variable": "t%"}, "a% %25"),
        ),
        (
            "##vso[task.logissue type=error;sourcepath=a%3Bb.c;x=;z=a=b]m%5D",
            Command("task", "logissue", {"type": "error", "sourcepath": "a;b.c", "z": "a=b"}, "m]"),
        ),
        ("##vso[a.b k==v;=w;K=2; j=1]", Command("a", "b", {"k": "2", " j": "1"}, "")),
        ("##vso[a.b ]##vso[c.d]", Command("a", "b", {}, "##vso[c.d]")),
    ],
)
def test_the_documented_vectors(line: str, command: Command | None) -> None:
    assert parse(line) == command


names = st.text(alphabet="abcdefgh", min_size=1, max_size=8)


@given(names, names, st.dictionaries(names, st.text(min_size=1).filter(lambda value: value[0] != "=")), st.text())
def test_what_is_written_is_read_back(area: str, event: str, properties: dict[str, str], data: str) -> None:
    command = Command(area, event, properties, data)
    line = write(command)
    assert "\n" not in line
    assert parse(f"before {line}") == command


@given(st.text())
def test_escaping_is_undone(text: str) -> None:
    assert unescape(escape(text)) == text


@given(st.text(alphabet="#vso[]task.debug =;%", max_size=60))
def test_no_line_breaks_the_parser(line: str) -> None:
    command = parse(line)
    assert command is None or (command.area and command.event)


@given(st.text(alphabet="#vVsSoO[*", max_size=30))
def test_neutralised_text_is_no_command(text: str) -> None:
    assert "##vso" not in neutralise(text).lower()
    assert neutralise("##VsO[task.complete]") == "**vso[task.complete]"
