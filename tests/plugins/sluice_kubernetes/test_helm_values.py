from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sluice.plugin import TaskFailedError
from sluice_kubernetes._helm_values import Pair, split_pairs, values_of, write_values


def values(text: str) -> dict[str, Any]:
    return values_of(split_pairs(text, "task"), "task")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1", {"a": 1}),
        ("a.b=x,a.c=true", {"a": {"b": "x", "c": True}}),
        ("a=null,b=012,c=1.5", {"a": None, "b": "012", "c": "1.5"}),
        ("a={x,y},b={}", {"a": ["x", "y"], "b": [""]}),
        (r"a=x\,y,b\.c=1", {"a": "x,y", "b.c": 1}),
        ("a[0].b=1,a[1].b=2", {"a": [{"b": 1}, {"b": 2}]}),
        ("a[1]=x", {"a": [None, "x"]}),
        ("a=,b=x=y", {"a": "", "b": "x=y"}),
        ("", {}),
    ],
)
def test_values_are_read_as_helm_reads_them(text: str, expected: dict[str, Any]) -> None:
    assert values(text) == expected


@pytest.mark.parametrize("text", ["a", "=1", "a..b=1", "a[x]=1", "a[70000]=1", "a=1,a.b=2", "a.b=1,a[0]=2"])
def test_what_is_no_value_is_told_and_no_value_is_shown(text: str) -> None:
    with pytest.raises(TaskFailedError) as refusal:
        values(f"secret=canary-4711,{text}")
    assert "4711" not in str(refusal.value)


@given(st.text(max_size=40))
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        found = values(text)
    except TaskFailedError:
        return
    assert isinstance(found, dict)


def test_values_stand_in_a_private_file(tmp_path: Path) -> None:
    arguments = write_values(tmp_path, [Pair("a.b", "canary-4711")], "task")
    assert arguments == ["-f", str(tmp_path / "values.yaml")]
    assert stat.S_IMODE((tmp_path / "values.yaml").stat().st_mode) == 0o600
    assert yaml.safe_load((tmp_path / "values.yaml").read_text()) == {"a": {"b": "canary-4711"}}
    assert write_values(tmp_path, [], "task") == []
