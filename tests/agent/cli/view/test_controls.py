from __future__ import annotations

import re
import time

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sluice.cli.view.controls import coloured, one_line, plain

HOSTILE = st.lists(
    st.one_of(
        st.text(max_size=8),
        st.sampled_from(
            [
                "\x1b",
                "\x1b[",
                "\x1b]0;",
                "\x07",
                "\x1b\\",
                "\x9b",
                "\x9d",
                "\x9c",
                "\r",
                "\n",
                "31m",
                "2J",
                "\x1b[31m",
                "\x1b[38;5;8m",
                "\x1bP",
                "\x90",
                "\u202e",
                "\u2066",
                "\x00",
                "\x08",
                "\x7f",
                "8",
                ";",
                "m",
                "##[group]",
            ],
        ),
    ),
    max_size=30,
).map("".join)
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


@given(st.one_of(HOSTILE.map(str.encode), st.binary(max_size=60)))
@example(b"\x1b\x1b[0m[31m")
@example(b"\x1b]8;;http://x\x1b\\text\x1b]8;;\x1b\\")
def test_plain_text_never_holds_a_control_character(data: bytes) -> None:
    assert not FORBIDDEN.search(plain(data))


@given(st.one_of(HOSTILE.map(str.encode), st.binary(max_size=60)))
@example(b"\x1b[3\x1b[0m1m")
def test_coloured_text_holds_colours_and_no_other_control(data: bytes) -> None:
    assert not FORBIDDEN.search(COLOUR.sub("", coloured(data)))


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])).map(lambda text: f"{text}\n"))
def test_text_without_controls_stays_as_it_is(text: str) -> None:
    assert plain(text.encode()) == text
    assert coloured(text.encode()) == text


@given(HOSTILE)
def test_no_line_is_lost(text: str) -> None:
    lines = text.count("\n")
    assert plain(text.encode()).count("\n") >= lines


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        (b"a\x1b[31mred\x1b[0m b\n", "ared b\n"),
        (b"\x1b]0;title\x07text\n", "text\n"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\n", "link\n"),
        (b"\x1b]0;never ended\nnext line\n", "0;never ended\nnext line\n"),
        (b"\x1b[2J\x1b[Hwiped\n", "wiped\n"),
        (b"10%\r20%\r30%\n", "10%\n20%\n30%\n"),
        (b"dos\r\n\r\nline\r\r\n", "dos\n\nline\n"),
        (b"\rprogress\n", "progress\n"),
        ("\x9b31mc1\x9d0;t\x9c\n".encode(), "c1\n"),
        (b"tab\there\n", "tab\there\n"),
        ("price \u202eabc \u201cquoted\u201d\n".encode(), "price abc \u201cquoted\u201d\n"),
        (b"bad \xff\xfe utf\n", "bad \ufffd\ufffd utf\n"),
    ],
)
def test_what_plain_text_becomes(given_: bytes, shown: str) -> None:
    assert plain(given_) == shown


@pytest.mark.parametrize(
    ("given_", "shown"),
    [
        (b"\x1b[31mred\nnext\n", "\x1b[31mred\x1b[0m\nnext\n"),
        (b"\x1b[8mhidden\n", "hidden\n"),
        (b"\x1b[1;5;8;32mx\n", "\x1b[1;32mx\x1b[0m\n"),
        (b"\x1b[38;5;8mgrey\n", "\x1b[38;5;8mgrey\x1b[0m\n"),
        (b"\x1b[48;2;5;6;8mdeep\n", "\x1b[48;2;5;6;8mdeep\x1b[0m\n"),
        (b"\x1b[10;10Hmoved\x1b[?25l\n", "moved\n"),
        (b"\x1b[" + b"1;" * 40 + b"1mlong\n", "long\n"),
    ],
)
def test_only_visible_colours_pass_and_end_with_their_line(given_: bytes, shown: str) -> None:
    assert coloured(given_) == shown


def test_a_name_is_one_line_whatever_it_holds() -> None:
    assert one_line("a\nb\x1b[2J\r\tc \ud800") == "a b c ?"


@pytest.mark.parametrize("piece", [b"\x1b]", b"\xc2\x9d", b"\x1bP", b"\x1b[", b"\r", b"\x1b[38;5", b"\x1b[1"])
def test_hostile_repetition_takes_linear_time(piece: bytes) -> None:
    data = piece * (1 << 17) + b"\n"
    start = time.process_time()
    plain(data)
    coloured(data)
    assert time.process_time() - start < 5
