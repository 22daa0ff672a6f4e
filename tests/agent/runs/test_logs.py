from __future__ import annotations

import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sluice.runs.logs import STAMP_LENGTH, RunLogs

STAMP = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z ")


def test_each_line_has_its_time(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path, 1)
    logs.write("a", b"one\ntwo\n")
    logs.close("a")
    text, offset = logs.read("a")
    assert [STAMP.sub(b"", line) for line in text.splitlines()] == [b"one", b"two"]
    assert all(STAMP.match(line) for line in text.splitlines())
    assert logs.read("a", offset) == (b"", offset)


def test_a_line_that_comes_in_pieces_has_one_time(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path, 1)
    logs.write("a", b"50")
    assert logs.read("a") == (b"", 0)
    logs.write("a", b" %\nnext")
    logs.close("a")
    text, _ = logs.read("a")
    assert [line[STAMP_LENGTH:] for line in text.splitlines()] == [b"50 %", b"next"]


@given(pieces=st.lists(st.binary(min_size=1, max_size=20).map(lambda raw: raw.replace(b"\r", b""))))
def test_no_byte_is_lost_however_the_text_is_cut(pieces: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        logs = RunLogs(Path(folder), 1)
        for piece in pieces:
            if piece:
                logs.write("a", piece)
        logs.close("a")
        text, _ = logs.read("a")
    whole = b"".join(pieces)
    expected = whole if whole.endswith(b"\n") or not whole else whole + b"\n"
    assert b"".join(line[STAMP_LENGTH:] + b"\n" for line in text.split(b"\n")[:-1]) == expected


def test_the_log_of_a_step_that_wrote_nothing_is_empty(tmp_path: Path) -> None:
    assert RunLogs(tmp_path, 1).read("nothing") == (b"", 0)


def test_a_log_is_only_added_to_also_after_a_kill_in_the_middle_of_a_line(tmp_path: Path) -> None:
    killed = RunLogs(tmp_path, 1)
    killed.write("a", b"one\ntw")
    killed._open.pop("a").close()  # and never more
    before = killed.path("a").read_bytes()
    logs = RunLogs(tmp_path, 1)
    logs.write("a", b"three\n")
    assert logs.path("a").read_bytes().startswith(before + b"\n")
    assert [line[STAMP_LENGTH:] for line in logs.lines("a")] == [b"one", b"tw", b"three"]
    assert logs.count("a") == 3
    logs.close("a")


def test_lines_are_found_by_their_numbers(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path, 1)
    logs.write("a", b"".join(b"%d\n" % number for number in range(1, 11)))
    logs.write("a", b"unfinished")

    def text(first: int = 1, last: int | None = None) -> list[int]:
        return [int(line[STAMP_LENGTH:]) for line in logs.lines("a", first, last)]

    assert text() == list(range(1, 11))
    assert text(3, 5) == [3, 4, 5]
    assert text(9) == [9, 10]
    assert text(11) == []
    assert logs.count("a") == 10
    logs.close("a")


def test_a_log_is_read_in_pieces_of_whole_lines(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path, 1)
    logs.write("a", b"short\n" + b"x" * 500 + b"\nend\n")
    logs.close("a")
    found, offset = [], 0
    while True:
        text, offset = logs.read("a", offset, limit=40)
        if not text:
            break
        assert text.endswith(b"\n")
        found.append(text)
    assert b"".join(found) == logs.path("a").read_bytes()
    assert len(found) == 3
