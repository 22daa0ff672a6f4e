"""The kind of check that docs/check-kinds.md shows is one that works."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from tests.doubles.check_runs import evaluation, judged

from sluice.hooks.manager import PluginHost
from sluice_checks._types import EVALUATE_ARTIFACT, TYPES

PAGE = (Path(__file__).parents[1] / "docs" / "check-kinds.md").read_text()
SNIPPET = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_kind_of_ones_own_loads_and_decides(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (text,) = SNIPPET
    (tmp_path / "freeze_of_the_docs.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    host = PluginHost([EntryPoint("freeze", "freeze_of_the_docs", "sluice")])
    kind = host.check_types["change-freeze"]
    days = {"from": "2026-12-20", "to": "2027-01-02"}
    assert judged(kind, days) == ()
    assert judged(kind, {"from": "2027-01-02", "to": "2026-12-20"}) == ("the freeze ends before it begins",)
    decisions = [
        kind.evaluate(evaluation(kind, days, now=datetime(*day, tzinfo=UTC)))
        for day in ((2026, 12, 19), (2026, 12, 20), (2027, 1, 2), (2027, 1, 3))
    ]
    assert [one.outcome for one in decisions] == ["approved", "rejected", "rejected", "approved"]
    assert decisions[1].message == "depot is frozen until 2027-01-02"
    sys.modules.pop("freeze_of_the_docs")


def test_the_table_names_every_kind_and_every_setting() -> None:
    rows = {cells[1].strip(" `"): cells[2] for line in PAGE.splitlines() if (cells := line.split("|"))[1:]}
    assert {kind.name for kind in TYPES} <= set(rows)
    shared = {"method", "headers", "body", "waitForCompletion", "successCriteria", "linkedVariableGroup"}
    for kind in TYPES:
        missing = {one.key for one in kind.fields if f"`{one.key}`" not in rows[kind.name]}
        assert missing <= (shared if kind.name == "azure-function" else set()), kind.name


def test_the_policy_of_the_page_can_be_evaluated() -> None:
    (policy,) = re.findall(r"\n((?:    .*\n|\n)+)\n`sluice check add evaluate-artifact", PAGE)
    text = "\n".join(line[4:] for line in policy.splitlines())
    assert judged(EVALUATE_ARTIFACT, {"policy": text}) == ()
