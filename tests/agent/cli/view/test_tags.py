from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.cli.view.tags import Tag, split

LINES = st.lists(
    st.one_of(
        st.text(alphabet="ab# [", max_size=6),
        st.sampled_from(["##[group]T", "##[endgroup]", "##[error]e", "##[other]x", " ##[group]no", "##[groupx]"]),
    ),
    min_size=1,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@given(LINES)
def test_the_pieces_are_the_text(text: str) -> None:
    pieces = split(text)
    assert "".join(p if isinstance(p, str) else f"##[{p.name}]{p.text}\n" for p in pieces) == text


def test_a_tag_counts_at_the_start_of_a_line_only() -> None:
    assert list(split("a\n##[error]bad\n x ##[error]no\n##[debug]d\n")) == [
        "a\n",
        Tag("error", "bad"),
        " x ##[error]no\n",
        Tag("debug", "d"),
    ]


@pytest.mark.parametrize(
    ("tag", "line"),
    [
        (Tag("group", "Install"), "> Install"),
        (Tag("section", "Part"), "* Part"),
        (Tag("command", "ls -l"), "$ ls -l"),
        (Tag("error", "bad"), "error: bad"),
        (Tag("warning", "hm"), "warning: hm"),
        (Tag("error", "src/a b.py(3,5): error E1: bad"), "src/a b.py(3,5): error E1: bad"),
        (Tag("warning", "src/a.py(4,0): warning: hm"), "src/a.py(4,0): warning: hm"),
        (Tag("error", "f(1): error"), "error: f(1): error"),
        (Tag("debug", "x=1"), "debug: x=1"),
        (Tag("endgroup", ""), ""),
    ],
)
def test_a_tag_is_readable_without_colours(tag: Tag, line: str) -> None:
    assert tag.readable() == line
