"""Any part of a log at once, whatever it holds and however it grows."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from sluice.runs.logs import STAMP_LENGTH, RunLogs
from sluice.server import log_index
from sluice.server.log_index import LogIndex, LogIndexes

STAMP = b"2026-11-25T00:00:00.0000000Z "
TEXTS = st.lists(st.binary(max_size=400).map(lambda one: one.replace(b"\n", b" ")), max_size=60)


def _log(folder: Path, *texts: bytes) -> Path:
    path = folder / "a.log"
    with path.open("ab") as file:
        file.write(b"".join(STAMP + text + b"\n" for text in texts))
    return path


def _texts(index: LogIndex, first: int, count: int) -> list[bytes]:
    return [text[STAMP_LENGTH:] for text in index.lines(first, count).texts]


@given(
    texts=TEXTS, first=st.integers(-1, 70), count=st.integers(1, 70), block=st.integers(1, 300), cut=st.integers(0, 60)
)
def test_any_lines_are_those_of_the_file_wherever_its_blocks_end(
    texts: list[bytes], first: int, count: int, block: int, cut: int
) -> None:
    before = log_index.BLOCK
    log_index.BLOCK = block
    try:
        with tempfile.TemporaryDirectory() as folder:
            index = LogIndex(_log(Path(folder), *texts[:cut]))
            index.refresh()
            _log(Path(folder), *texts[cut:])
            start = max(1, len(texts) - count + 1) if first <= 0 else first
            assert _texts(index, first, count) == texts[start - 1 : start - 1 + count]
            assert index.refresh() == len(texts)
    finally:
        log_index.BLOCK = before


def test_a_line_that_has_not_ended_does_not_count_yet(tmp_path: Path) -> None:
    path = _log(tmp_path, b"one")
    with path.open("ab") as file:
        file.write(STAMP + b"tw")
        file.flush()
        index = LogIndex(path)
        assert index.refresh() == 1
        file.write(b"o\n")
    assert _texts(index, 1, 9) == [b"one", b"two"]


def test_a_log_that_is_not_there_is_empty_until_it_is(tmp_path: Path) -> None:
    index = LogIndex(tmp_path / "a.log")
    assert index.lines(0, 10).texts == []
    assert index.groups() == []
    assert index.find("x").lines == []
    _log(tmp_path, b"one")
    assert index.has_grown()
    assert _texts(index, 0, 10) == [b"one"]


def test_groups_are_their_first_and_last_lines(tmp_path: Path) -> None:
    path = _log(tmp_path, b"a", b"##[group]one", b"b", b"##[endgroup]", b"say ##[group]no", b"##[GROUP]two")
    index = LogIndex(path)
    assert index.groups() == [(2, 4), (6, 0)]
    _log(tmp_path, b"c", b"##[endgroup]", b"##[endgroup]")
    assert index.groups() == [(2, 4), (6, 8)]


@given(size=st.integers(1, 200))
def test_a_mark_that_two_blocks_share_is_found_once(size: int) -> None:
    before = log_index._PIECE
    log_index._PIECE = size
    try:
        with tempfile.TemporaryDirectory() as folder:
            index = LogIndex(_log(Path(folder), b"x", b"##[group]one", b"y" * 90, b"##[endgroup]", b"z"))
            assert index.groups() == [(2, 4)]
    finally:
        log_index._PIECE = before


def test_a_text_is_found_whatever_its_case_and_colour_and_never_in_times(tmp_path: Path) -> None:
    path = _log(tmp_path, b"alpha", b"\x1b[31mBe\x1b[0mTA beta", b"nothing", b"the end: BETA")
    index = LogIndex(path)
    assert index.find("beta").lines == [2, 4]
    assert index.find("2026-11").lines == []
    assert index.find("00:00").lines == []


def test_more_hits_than_are_shown_are_told(tmp_path: Path) -> None:
    index = LogIndex(_log(tmp_path, *[b"same"] * (log_index.MAX_HITS + 1)))
    found = index.find("same")
    assert len(found.lines) == log_index.MAX_HITS
    assert not found.complete


def test_a_huge_line_is_cut_and_says_so(tmp_path: Path) -> None:
    [text] = LogIndex(_log(tmp_path, b"x" * 100_000)).lines(1, 1).texts
    assert len(text) < log_index.MAX_LINE + 100
    assert text.endswith(b"more bytes: see the downloaded log)")


def test_what_a_run_writes_is_what_is_read(tmp_path: Path) -> None:
    logs = RunLogs(tmp_path, 7)
    logs.write("step", b"one\ntwo\nthr")
    index = LogIndexes().of(logs.path("step"))
    assert _texts(index, 1, 9) == [b"one", b"two"]
    logs.write("step", b"ee\n")
    logs.close("step")
    assert _texts(index, 1, 9) == [b"one", b"two", b"three"]


def test_only_the_indexes_that_were_used_last_are_kept(tmp_path: Path) -> None:
    indexes = LogIndexes(keep=2)
    first, second = indexes.of(tmp_path / "1"), indexes.of(tmp_path / "2")
    assert indexes.of(tmp_path / "1") is first
    indexes.of(tmp_path / "3")
    assert indexes.of(tmp_path / "1") is first
    assert indexes.of(tmp_path / "2") is not second


def test_another_file_in_its_place_is_read_anew(tmp_path: Path) -> None:
    path = _log(tmp_path, b"one", b"two")
    index = LogIndex(path)
    assert index.refresh() == 2
    other = tmp_path / "other"
    other.write_bytes(b"".join(STAMP + b"longer than before %d\n" % number for number in range(9)))
    other.replace(path)
    assert index.refresh() == 9
    assert _texts(index, 1, 1) == [b"longer than before 0"]
