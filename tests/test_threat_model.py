"""The threat model names, for each abuse case, tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in (ROOT / "docs" / "threat-model.md").read_text("utf-8").splitlines()
    if re.match(r"\| \d+ \|", line)
]
CASES = range(1, 26)


def test_every_case_has_its_row() -> None:
    cases = [int(row[0]) for row in ROWS]
    assert cases == sorted(set(cases))
    assert set(cases) == set(CASES)


def test_every_abuse_test_has_its_row() -> None:
    named = {reference.partition("::")[0] for row in ROWS for reference in re.findall(r"`(tests/[^`]+)`", row[3])}
    assert {f"tests/abuse/{path.name}" for path in (ROOT / "tests" / "abuse").glob("test_*.py")} <= named


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"case {row[0]}")
def test_a_case_names_tests_that_exist(row: list[str]) -> None:
    references = re.findall(r"`(tests/[^`]+)`", row[3])
    assert references
    for reference in references:
        file, _, name = reference.partition("::")
        found = ast.parse((ROOT / file).read_text("utf-8"))
        tests = {node.name for node in ast.walk(found) if isinstance(node, ast.FunctionDef)}
        assert any(one.startswith("test_") for one in tests)
        assert not name or name in tests, reference
