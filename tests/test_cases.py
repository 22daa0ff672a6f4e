"""The cases of `tests/cases`: one folder, one behaviour, no Python. (Those of the compiler alone lie in `compile`.)

A folder holds an `azure-pipelines.yml` (and what belongs to it) and `expected.txt`, which reads like a terminal. A line
`$ sluice ...` is a command that is run in a copy of the folder, with a state folder of its own. Behind it `exit N` is
its status (0 if absent), `+ text` is part of a line that it prints, in this order, `- text` is printed nowhere. Two blanks
in a text stand for as many as columns take.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from unittest import mock

import pytest

from sluice.cli.main import main

CASES = Path(__file__).parent / "cases"


@dataclass
class Expected:
    """A command of a case, and what is expected of it."""

    command: str
    status: int = 0
    printed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)


def read(text: str) -> list[Expected]:
    commands: list[Expected] = []
    for line in text.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == "$":
            commands.append(Expected(rest))
        elif mark == "exit":
            commands[-1].status = int(rest)
        elif mark == "+":
            commands[-1].printed.append(rest)
        elif mark == "-":
            commands[-1].absent.append(rest)
        else:
            assert not line.strip(), line
    return commands


def run(arguments: Sequence[str]) -> tuple[int, str]:
    """Run a command line in this process; answers its status and all that it printed."""
    printed = io.StringIO()
    status = 0
    with (
        mock.patch.object(sys, "stdin", io.StringIO()),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
    ):
        try:
            main(arguments)
        except SystemExit as end:
            status = int(end.code or 0)
    return status, printed.getvalue()


def narrow(line: str) -> str:
    """A line whose columns stand two blanks apart, however wide they are."""
    return re.sub(" {2,}", "  ", line)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[None]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("SLUICE_", "PYTEST"))}
    variables |= {"SLUICE_HOME": str(tmp_path / "home"), "CASE_SECRET": "s3cr3t-of-the-case"}
    with mock.patch.dict(os.environ, variables, clear=True):
        yield


@pytest.mark.parametrize("name", sorted(path.parent.name for path in CASES.glob("*/expected.txt")))
def test_the_case_behaves_as_its_folder_says(name: str, tmp_path: Path, home: None) -> None:
    folder = tmp_path / name
    shutil.copytree(CASES / name, folder)
    (folder / "expected.txt").unlink()
    with contextlib.chdir(folder):
        for expected in read((CASES / name / "expected.txt").read_text()):
            program, *arguments = shlex.split(expected.command)
            assert program == "sluice"
            status, printed = run(arguments)
            assert status == expected.status, f"$ {expected.command}\n{printed}"
            lines = map(narrow, printed.splitlines())
            for text in map(narrow, expected.printed):
                assert any(text in line for line in lines), f"$ {expected.command}\nnot printed: {text}\n{printed}"
            for text in expected.absent:
                assert text not in printed, f"$ {expected.command}\nprinted: {text}\n{printed}"
