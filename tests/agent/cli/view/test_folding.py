from __future__ import annotations

import resource
import signal
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.cli.view.folding import MAX_UNFINISHED, Folder, Shown

LINES = st.lists(
    st.sampled_from(["a", "b", "", "##[group]G", "##[endgroup]", "##[error]e", "##[command]c", "##[debug]d"]),
    max_size=12,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@pytest.fixture
def folder() -> Iterator[Folder]:
    folder = Folder()
    yield folder
    folder.close()


def take(folder: Folder, *pieces: str) -> list[Shown]:
    return [shown for piece in pieces for shown in folder.take(piece)]


def test_a_group_shows_its_title_and_its_number_of_lines(folder: Folder) -> None:
    shown = take(folder, "before\n##[group]Install\none\ntwo\n", "three\n##[endgroup]\nafter\n")
    assert shown == [
        Shown("lines", "before\n"),
        Shown("tag", "Install", "group"),
        Shown("folded", "Install", count=3),
        Shown("lines", "after\n"),
    ]


def test_a_verbose_group_shows_everything() -> None:
    shown = take(Folder(verbose=True), "##[group]Install\none\n##[endgroup]\n")
    assert shown == [Shown("tag", "Install", "group"), Shown("lines", "one\n")]


def test_an_error_inside_a_group_is_shown_at_once(folder: Folder) -> None:
    shown = take(folder, "##[group]G\n##[command]cc\n##[error]bad\n##[endgroup]\n")
    assert shown == [
        Shown("tag", "G", "group"),
        Shown("tag", "bad", "error"),
        Shown("folded", "G", count=2),
    ]


def test_a_failed_step_shows_what_was_folded(folder: Folder) -> None:
    take(folder, "##[group]G\none\n##[error]bad\n##[endgroup]\nout\n##[group]H\nthree\n")
    assert list(folder.end(failed=True)) == [
        Shown("folded", "H", count=1),
        Shown("lines", "> G\none\nerror: bad\n> H\nthree\n"),
    ]


def test_a_good_step_forgets_what_was_folded(folder: Folder) -> None:
    take(folder, "##[group]G\none\n")
    assert list(folder.end(failed=False)) == [Shown("folded", "G", count=1)]


def test_a_group_that_begins_in_a_group_ends_it(folder: Folder) -> None:
    shown = take(folder, "##[group]G\none\n##[group]H\n##[endgroup]\n##[endgroup]\n")
    assert [one.text for one in shown if one.kind == "folded"] == ["G", "H"]


def test_a_very_long_unfinished_line_is_not_held_back_for_ever(folder: Folder) -> None:
    shown = take(folder, "x" * MAX_UNFINISHED, "y")
    assert shown == [Shown("lines", "x" * MAX_UNFINISHED + "y\n")]
    assert folder.unfinished == ""


def test_large_groups_come_back_whole(folder: Folder) -> None:
    text = "".join(f"line {number}\n" for number in range(200_000))
    take(folder, "##[group]G\n", text)
    shown = [one.text for one in folder.end(failed=True) if one.kind == "lines"]
    assert "".join(shown) == f"> G\n{text}"
    assert all(part.endswith("\n") for part in shown)


def test_a_full_disk_does_not_stop_the_run(folder: Folder) -> None:
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 22, unlimited[1]))
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        take(folder, "##[group]G\n", *["x" * 99_999 + "\n"] * 100)
        shown = list(folder.end(failed=True))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
        signal.signal(signal.SIGXFSZ, handler)
    assert shown[0] == Shown("folded", "G", count=100)
    assert shown[-1].tag == "warning"


@given(LINES, st.integers(1, 9))
def test_it_does_not_matter_where_the_log_is_cut(text: str, size: int) -> None:
    def told(pieces: list[str]) -> list[Shown]:
        folder = Folder()
        return merged([*take(folder, *pieces), *folder.end(failed=True)])

    assert told([text[i : i + size] for i in range(0, len(text), size)]) == told([text])


def merged(shown: list[Shown]) -> list[Shown]:
    out: list[Shown] = []
    for one in shown:
        if out and one.kind == out[-1].kind == "lines":
            out[-1] = Shown("lines", out[-1].text + one.text)
        else:
            out.append(one)
    return out
