from __future__ import annotations

import pytest

from sluice.runtime.artifacts.choosing import choose
from sluice.runtime.artifacts.manifest import Entry

ENTRIES = [Entry(path=path) for path in ("a.txt", "b.zip", "d/a.txt", "d/e/.hidden", "drop/x")]


@pytest.mark.parametrize(
    ("patterns", "chosen"),
    [
        ([], "a.txt b.zip d/a.txt d/e/.hidden drop/x"),
        (["**"], "a.txt b.zip d/a.txt d/e/.hidden drop/x"),
        (["*.txt"], "a.txt"),
        (["**/*.txt"], "a.txt d/a.txt"),
        (["drop/*.txt"], "a.txt"),
        (["drop/d/**"], "d/a.txt d/e/.hidden"),
        (["**", "!d/**"], "a.txt b.zip drop/x"),
        (["!**/*.txt"], "b.zip d/e/.hidden drop/x"),
        (["!**", "b.zip"], "b.zip"),
        (["**/*.{zip,txt}", "!a.txt"], "b.zip d/a.txt"),
        (["# nothing", "", "*.zip"], "b.zip"),
        (["nowhere"], ""),
    ],
)
def test_patterns_choose_in_their_order_with_or_without_the_artifacts_name(patterns: list[str], chosen: str) -> None:
    assert " ".join(entry.path for entry in choose(ENTRIES, patterns, "drop")) == chosen
