from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.plugin import split_arguments


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", []),
        ("  -a\n--b=c  ", ["-a", "--b=c"]),
        ('--build-arg A="b c" ""', ["--build-arg", "A=b c", ""]),
        (r'"a\"b" c\d "e\f"', ['a"b', r"c\d", r"e\f"]),
        ("'a b'", ["'a", "b'"]),
    ],
)
def test_arguments_are_split_as_the_task_library_does(text: str, parts: list[str]) -> None:
    assert split_arguments(text) == parts


@given(st.lists(st.text(st.characters(exclude_characters='"\\\r\n'))))
def test_quoted_arguments_come_out_as_they_were(parts: list[str]) -> None:
    assert split_arguments(" ".join(f'"{part}"' for part in parts)) == parts
