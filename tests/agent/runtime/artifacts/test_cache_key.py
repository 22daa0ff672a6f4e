"""Keys of caches: texts, files, patterns."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.cache_key import is_path, resolve, split


@pytest.mark.parametrize(
    ("segment", "path"),
    [
        ("npm", False),
        ("package-lock.json", True),
        ("**/package-lock.json", True),
        ('"package-lock.json"', False),
        ("dir/", True),
        ("v1.", False),
        ("Linux", False),
        ("1.2", True),
    ],
)
def test_what_looks_like_a_path_is_one(segment: str, path: bool) -> None:
    assert is_path(segment) is path


def test_segments_are_separated_by_bars() -> None:
    assert split(' npm | "$(Agent.OS)" || **/x.json ') == ("npm", '"$(Agent.OS)"', "**/x.json")


def _key(*segments: str, root: Path) -> tuple[tuple[str, ...], list[str]]:
    said: list[str] = []
    return resolve(segments, root=root, workspace=root.parent, say=said.append).segments, said


def test_a_file_counts_by_its_content_and_its_place(tmp_path: Path) -> None:
    root = tmp_path / "s"
    (root / "d").mkdir(parents=True)
    (root / "a.json").write_text("1")
    first, said = _key("npm", "a.json", root=root)
    assert first[0] == "npm"
    assert said == [
        " - npm    [string]",
        " - a.json [file] --> 6B86B273FF34FCE19D6B804EFF5A3F5747ADA4EAA22F1D49C01E52DDB7875B4B",
    ]
    assert _key("npm", "a.json", root=root)[0] == first
    assert _key("npm", str(root / "a.json"), root=root)[0] == first
    (root / "a.json").write_text("2")
    assert _key("npm", "a.json", root=root)[0] != first


def test_a_pattern_counts_all_its_files_but_those_left_out(tmp_path: Path) -> None:
    root = tmp_path / "s"
    for name in ("a/x.json", "b/x.json", "node_modules/x.json"):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(name)
    pattern = "**/x.json, !node_modules/**"
    first, said = _key(pattern, root=root)
    assert said[0] == f" - {pattern} [file pattern; matches: 2]"
    assert [line.split()[1] for line in said[1:]] == ["s/a/x.json", "s/b/x.json"]
    (root / "node_modules" / "x.json").write_text("changed")
    assert _key(pattern, root=root)[0] == first
    (root / "b" / "x.json").write_text("changed")
    assert _key(pattern, root=root)[0] != first


@pytest.mark.parametrize(
    ("segment", "text"),
    [
        ("*", "`*` is a reserved key segment"),
        ("**", "`**` is a reserved key segment"),
        ("'a'", "cannot start with a single-quote"),
        ("`a`", "cannot start with a backtick"),
        ("none.json", "File not found: none.json"),
        ("**/none.json", "No matching files found for pattern: **/none.json"),
        ("!a.json", "No include rules"),
    ],
)
def test_what_cannot_be_a_key_is_told_in_the_agents_words(segment: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(TaskFailedError) as error:
        _key(segment, root=tmp_path)
    assert text in str(error.value)
