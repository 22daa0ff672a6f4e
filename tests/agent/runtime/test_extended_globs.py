"""Extended file patterns."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.runtime.globbing import compile_pattern, matches


@pytest.mark.parametrize(
    ("pattern", "fits", "not_fits"),
    [
        ("**/?(*.config|*.dll|*.exe)", ["a.dll", "x/y/app.config"], ["a.txt", "x/a.dlls"]),
        ("@(a|b).txt", ["a.txt", "b.txt"], ["ab.txt", ".txt"]),
        ("?(a|b).txt", ["a.txt", ".txt"], ["ab.txt"]),
        ("+(a|b).txt", ["a.txt", "abba.txt"], [".txt", "c.txt"]),
        ("*(ab).txt", [".txt", "abab.txt"], ["a.txt"]),
        ("!(a|b).txt", ["c.txt", "ab.txt"], []),
        ("x/!(*.map)", ["x/a.js"], ["x/a.js.map"]),
        ("**/@(obj|bin)/**", ["obj/a", "x/bin/y/z"], ["x/objs/y", "obj"]),
        ("@(a|+(b|c(d)))", ["a", "bb", "bc(d)"], ["c"]),
        ("+([ab])[0-9]", ["ab1", "b9"], ["c1", "1"]),
        ("a(b", ["a(b"], ["ab"]),
        (r"@(\*|b)", ["*", "b"], ["a"]),
    ],
)
def test_groups_match_as_minimatch_has_it(pattern: str, fits: list[str], not_fits: list[str]) -> None:
    compiled = compile_pattern(pattern.lstrip("\0"))
    assert [name for name in fits if not compiled.fullmatch(name)] == []
    if not pattern.startswith("!"):
        assert [name for name in not_fits if compiled.fullmatch(name)] == []


def test_a_pattern_of_stars_in_repeated_groups_takes_no_time_that_doubles() -> None:
    assert not matches("a" * 200 + "b", "+(*a|+(*a|a*a))")


def test_groups_that_nest_without_end_stay_literal_from_some_depth_on() -> None:
    assert matches("a", "@(" * 500 + "a" + ")" * 500) is False
    assert matches("a", "@(" * 10 + "a" + ")" * 10)


@pytest.mark.parametrize("pattern", ["*", "**", "?idden", "**/*", "@(*|x)", "[.]hidden", "x/**/deep"])
def test_without_dot_wildcards_leave_hidden_names_alone(pattern: str) -> None:
    compiled = compile_pattern(pattern, dot=False)
    assert not any(compiled.fullmatch(name) for name in (".hidden", "x/.y/deep"))


@pytest.mark.parametrize("pattern", [".*", ".hidden", "@(.hidden|x)", "**/.hidden"])
def test_without_dot_a_dot_that_is_written_out_matches(pattern: str) -> None:
    assert compile_pattern(pattern, dot=False).fullmatch(".hidden")


@given(st.text(alphabet="ab.*?+@!()|[]/\\", max_size=30), st.text(alphabet="ab./", max_size=20))
def test_no_pattern_breaks_the_matching(pattern: str, name: str) -> None:
    hidden = any(part.startswith(".") for part in name.split("/"))
    strict, loose = (compile_pattern(pattern, dot=dot).fullmatch(name) is not None for dot in (False, True))
    assert loose or not strict, "what wildcards leave alone is only less"
    assert hidden or strict == loose


@given(st.lists(st.text(alphabet="ab", min_size=1, max_size=3), min_size=1, max_size=4), st.text("ab", max_size=6))
def test_groups_agree_with_a_regular_expression(parts: list[str], name: str) -> None:
    body = "|".join(parts)
    for kind, expression in (("@", f"(?:{body})"), ("?", f"(?:{body})?"), ("+", f"(?:{body})+"), ("*", f"(?:{body})*")):
        expected = re.fullmatch(f"x{expression}", f"x{name}") is not None
        assert (compile_pattern(f"x{kind}({body})").fullmatch(f"x{name}") is not None) == expected
    excluded = name not in parts
    assert (compile_pattern(f"x!({body})").fullmatch(f"x{name}") is not None) == excluded
