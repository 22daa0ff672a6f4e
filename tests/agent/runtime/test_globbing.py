"""File patterns."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sluice.runtime.globbing import MAX_ALTERNATIVES, expand_braces, find_files, matches

TREE = ("a.txt", "b.md", ".hidden", "src/main.c", "src/main.h", "src/deep/x.c", "src/deep/[y].c", "docs/b.md")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in TREE:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*"], [".hidden", "a.txt", "b.md"]),
        (["**"], sorted(TREE)),
        (["**/*"], sorted(TREE)),
        (["**/*.c"], ["src/deep/[y].c", "src/deep/x.c", "src/main.c"]),
        (["src/**/*.c"], ["src/deep/[y].c", "src/deep/x.c", "src/main.c"]),
        (["src/*.{c,h}"], ["src/main.c", "src/main.h"]),
        (["?.md", "docs/?.md"], ["b.md", "docs/b.md"]),
        (["[ab].*"], ["a.txt", "b.md"]),
        (["[!a].*"], ["b.md"]),
        (["src/deep/[[]y].c"], ["src/deep/[y].c"]),
        (["./src/main.c"], ["src/main.c"]),
        (["**/*.c", "!**/deep/**"], ["src/main.c"]),
        (["!**/deep/**", "**/*.c"], ["src/deep/[y].c", "src/deep/x.c", "src/main.c"]),
        (["!src/**", "!docs/**"], [".hidden", "a.txt", "b.md"]),
        (["", "# a comment", "a.txt"], ["a.txt"]),
        (["!!a.txt"], ["a.txt"]),
        (["../**"], []),
        (["/etc/*"], []),
        ([], []),
    ],
)
def test_patterns_choose_files_in_order(tree: Path, patterns: list[str], names: list[str]) -> None:
    assert find_files(tree, patterns) == [tree / name for name in names]


def test_an_absolute_pattern_below_the_root_counts(tree: Path) -> None:
    assert find_files(tree, [f"{tree}/src/*.h"]) == [tree / "src/main.h"]


def test_a_link_to_a_folder_is_not_followed(tree: Path) -> None:
    (tree / "loop").symlink_to(tree)
    assert find_files(tree, ["**"]) == [tree / name for name in sorted(TREE)]


def test_braces_nest_and_stay_literal_without_a_comma() -> None:
    assert expand_braces("a{b,c{d,e}}f") == ["abf", "acdf", "acef"]
    assert expand_braces("a{b}{c,d") == ["a{b}{c,d"]


@pytest.mark.parametrize("pattern", ["[[-?]", "[z-a]", "[!z-a]"])
def test_a_range_that_runs_backwards_is_literal(pattern: str) -> None:
    assert matches(pattern, pattern)
    assert not matches("z", pattern)


def test_many_braces_end_in_bounded_time() -> None:
    assert len(expand_braces("{a,b}" * 40)) <= MAX_ALTERNATIVES + 1


@given(st.text(alphabet="ab*?[]{},!\\/.^-", max_size=20), st.text(alphabet="ab/.", max_size=10))
@example("[[-?]", "")
@example("[?--]", "")
@example("[a&&b]", "")
@example("[!-/]", "/")
@settings(max_examples=2000)
def test_no_pattern_breaks_the_matcher(pattern: str, name: str) -> None:
    assert matches(name, pattern) in {True, False}


@given(st.text(alphabet="ab-_.", min_size=1, max_size=10).filter(lambda name: name.strip(".")))
def test_a_plain_name_matches_itself(name: str) -> None:
    assert matches(name, name)


def glob_by_hand(name: str, pattern: str) -> bool:
    """Matches stars and question marks within one segment, the slow and plain way."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(glob_by_hand(name[index:], pattern[1:]) for index in range(len(name) + 1))
    return bool(name) and pattern[0] in {"?", name[0]} and glob_by_hand(name[1:], pattern[1:])


@given(st.text(alphabet="ab", min_size=1, max_size=8), st.text(alphabet="ab*?", min_size=1, max_size=6))
@settings(max_examples=500)
def test_stars_match_as_by_hand(name: str, pattern: str) -> None:
    if set(pattern) != {"*"}:  # two stars alone are another thing
        assert matches(name, pattern) == glob_by_hand(name, pattern)


@pytest.mark.timeout(10)
def test_hostile_patterns_take_bounded_time() -> None:
    assert not matches("a" * 500, "*a" * 50 + "b")
    assert not matches("a" * 500, "*" * 500 + "b")
    assert not matches("a/" * 100 + "a", "**/" * 100 + "b")
