"""What a `ref` may stand for (against a real server: tests/real/source)."""

from __future__ import annotations

import pytest

from sluice.runtime.revisions import COMMIT, candidates


@pytest.mark.parametrize(
    ("ref", "names"),
    [
        ("", ("refs/heads/main", "HEAD")),
        ("main", ("refs/heads/main", "refs/tags/main")),
        ("refs/pull/7/merge", ("refs/pull/7/merge",)),
        ("features/x", ("refs/heads/features/x", "refs/tags/features/x")),
    ],
)
def test_full_names_of_a_ref(ref: str, names: tuple[str, ...]) -> None:
    assert candidates(ref) == names


@pytest.mark.parametrize(("text", "whole"), [("a" * 40, True), ("a" * 64, True), ("a" * 39, False), ("a" * 41, False)])
def test_a_whole_hash_is_a_commit(text: str, whole: bool) -> None:
    assert bool(COMMIT.match(text)) == whole
