"""Lists of files: what is written is read; what leads out of its folder is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import StorageError
from sluice.runtime.artifacts.manifest import Block, Entry, Manifest, checked, decode, leads_out

D = "0" * 64


def _raw(**changes: Any) -> bytes:
    entry = {"path": "a", "kind": "file", "size": 3, "digest": D, **changes}
    return json.dumps({"version": 1, "entries": [entry], "blocks": [[D, 3]]}).encode()


def test_a_list_that_is_written_is_read() -> None:
    manifest = Manifest(
        entries=(
            Entry(path="a/b", size=3, digest=D, executable=True),
            Entry(path="a/c", kind="link", target="b"),
            Entry(path="d", kind="folder"),
        ),
        blocks=(Block(digest=D, size=3),),
    )
    assert decode(manifest.encode()) == manifest
    assert (manifest.files, manifest.size) == (1, 3)


@pytest.mark.parametrize("path", ["", "/a", "../a", "a/../b", "a//b", "a/", ".", "a/./b", "a\0b", "x" * 5000])
def test_a_path_that_leads_out_of_its_folder_is_refused(path: str) -> None:
    with pytest.raises(StorageError, match="no path below a folder"):
        decode(_raw(path=path))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[]",
        b"{}",
        b"nonsense",
        _raw(size=-1),
        _raw(size=4),
        _raw(size="3"),
        _raw(block=1),
        _raw(block=-1),
        _raw(offset=1),
        _raw(offset=-1),
        _raw(kind="device"),
        _raw(digest="../x"),
        _raw(executable=1),
        _raw(more="x"),
        json.dumps({"version": 2, "entries": [], "blocks": []}).encode(),
        json.dumps({"version": 1, "entries": [], "blocks": [["../../x", 3]]}).encode(),
        json.dumps({"version": 1, "entries": [], "blocks": [[D, -3]]}).encode(),
    ],
)
def test_a_list_that_fits_nothing_is_refused(raw: bytes) -> None:
    with pytest.raises(StorageError):
        decode(raw)


def test_nothing_lies_below_a_link_or_a_file() -> None:
    for kind in ("link", "file"):
        with pytest.raises(StorageError, match="which is no folder"):
            checked([Entry(path="a", kind=kind, target="/etc"), Entry(path="a/passwd")])
    with pytest.raises(StorageError, match="twice"):
        checked([Entry(path="a"), Entry(path="a")])


@pytest.mark.parametrize(
    ("path", "target", "out"),
    [
        ("a", "b", False),
        ("a", "b/c", False),
        ("d/a", "../b", False),
        ("a", "../b", True),
        ("d/a", "../../b", True),
        ("a", "/etc", True),
        ("a", "b/../..", True),
        ("a", "b/../c", True),  # b may be a link itself
        ("a", "./b", False),
        ("a", "", False),
    ],
)
def test_a_link_that_may_lead_out_is_told(path: str, target: str, out: bool) -> None:
    assert leads_out(path, target) is out


def test_of_two_lists_the_newer_one_wins() -> None:
    older = Manifest(
        entries=(Entry(path="a", size=1, digest=D), Entry(path="b", size=1, digest=D, offset=1)),
        blocks=(Block(digest=D, size=2),),
    )
    newer = Manifest(entries=(Entry(path="b", size=5, digest="1" * 64),), blocks=(Block(digest="1" * 64, size=5),))
    merged = older.merged(newer)
    assert [(entry.path, entry.size, entry.block) for entry in merged.entries] == [("a", 1, 0), ("b", 5, 1)]
    assert decode(merged.encode()) == merged


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    )
)
def test_whatever_is_read_it_is_a_list_or_a_clear_error(data: object) -> None:
    raws: list[Callable[[], Manifest]] = [
        lambda: decode(json.dumps(data).encode()),
        lambda: decode(json.dumps({"version": 1, "entries": [data], "blocks": []}).encode()),
        lambda: decode(json.dumps({"version": 1, "entries": [], "blocks": data}).encode()),
    ]
    for read in raws:
        try:
            assert isinstance(read(), Manifest)
        except StorageError as error:
            assert "cannot be used" in str(error)  # noqa: PT017  # either is fine
