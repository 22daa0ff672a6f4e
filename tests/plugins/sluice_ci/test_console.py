from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sluice_ci._console import LONGEST, Console, plain

NOTE = b"\x1b[8mha:////AAAA+b==\x1b[0m"
WORDS = st.sampled_from(
    [NOTE, b"\x1b[1;31m", b"\x1b]8;;http://x\x07", b"word", b"[2J", b"\n", b"\xc3\xbc", b"\x1b(B", b"\x1b"]
)


@given(st.lists(WORDS), st.data())
def test_a_console_in_pieces_is_written_as_in_one(words: list[bytes], data: st.DataObject) -> None:
    text = b"".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces: list[bytes] = []
    console = Console(pieces.append)
    for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True):
        console.take(text[start:end])
    console.end()
    assert b"".join(pieces) == b"".join(plain(line) for line in text.splitlines(keepends=True) if line)


def test_notes_and_colours_go_and_brackets_stay() -> None:
    assert plain(NOTE + b"[Pipeline] sh [0m \x1b[1mbold\x1b[0m") == b"[Pipeline] sh [0m bold"


def test_a_line_without_an_end_is_not_kept_for_ever() -> None:
    pieces: list[bytes] = []
    Console(pieces.append).take(b"x" * (LONGEST + 1))
    assert sum(map(len, pieces)) == LONGEST + 1
