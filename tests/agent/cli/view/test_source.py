from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from sluice.cli.view import source


def test_the_step_is_found_by_the_place_of_its_input(story: Any) -> None:
    plan = story.plan({"Deploy": ["Ship"]})
    found = source.naming(plan, "azure-pipelines.yml:5:20", "deploy")
    assert found is not None
    assert source.described(found) == "Run it there (SSH@0), job Ship"
    assert source.naming(plan, "azure-pipelines.yml:6:1", "Deploy") is None
    assert source.naming(plan, "", "Deploy") is None
    assert source.naming(plan, "azure-pipelines.yml:5:20", "Test") is None


def test_a_file_that_cannot_be_shown_is_left_out(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    for where in ("pipe.yml:1:1", "missing.yml:3:1", "", "a.yml", ":::", "a\0b:1:1", ".:1:1"):
        assert source.excerpt(where, tmp_path) == []


def test_lines_are_short_and_steer_nothing(tmp_path: Path) -> None:
    (tmp_path / "a:b.yml").write_text("one\n\ttwo \x1b[2J\r\n" + "x" * 100_000 + "\nlast")
    shown = source.excerpt("a:b.yml:2:1", tmp_path)
    assert shown[:2] == ["     1 | one", ">    2 |     two"]
    assert max(map(len, shown)) < 140
    assert "\x1b" not in "".join(shown)
