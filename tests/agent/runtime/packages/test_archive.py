"""Archives that would do harm are refused; what is unpacked is files and nothing else."""

from __future__ import annotations

import os
import stat
import struct
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.runtime.packages import archive
from sluice.runtime.packages.archive import Limits

if TYPE_CHECKING:
    from tests.agent.runtime.packages.conftest import Packages


def _extract(path: Path, target: Path, limits: Limits | None = None) -> None:
    with archive.opened(path, limits) as opened:
        opened.extract("", target)


def test_files_come_out_as_they_went_in(packages: Packages, tmp_path: Path) -> None:
    _extract(packages.zip({"task.json": "{}", "lib/a.js": "a", "lib\\b.js": "b"}), tmp_path / "out")
    found = {str(path.relative_to(tmp_path / "out")) for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"task.json", "lib/a.js", "lib/b.js"}


def test_a_folder_of_the_archive_comes_out_alone(packages: Packages, tmp_path: Path) -> None:
    with archive.opened(packages.zip({"one/task.json": "1", "two/task.json": "2"})) as opened:
        opened.extract("two", tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["task.json"]
    assert (tmp_path / "out/task.json").read_text() == "2"


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "a/../../evil",
        "/etc/evil",
        "\\\\server\\evil",
        "C:\\evil",
        "c:evil",
        "..\\evil",
        "a//b",
        "./a",
        "a/.",
        "nul",
        "lib/CON.txt",
        "com1.js",
        "a/aux/b",
        "name.",
        "name ",
        "a\x01b",
        "a:stream",
        "x" * 2000,
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(packages: Packages, tmp_path: Path, name: str) -> None:
    path = packages.zip({"task.json": "{}", name: "x"})
    with pytest.raises(UsageError, match="not allowed in a task package"):
        _extract(path, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    ("names", "match"),
    [
        (("Lib/a.js", "lib/b.js"), "are the same"),
        (("a.js", "A.js"), "are the same"),
        (("caf\u00e9", "cafe\u0301"), "are the same"),
        (("a", "a/b"), "are the same"),
        (("stra\u00dfe", "STRASSE"), "are the same"),
    ],
)
def test_names_that_clash_somewhere_are_refused(
    packages: Packages, tmp_path: Path, names: tuple[str, ...], match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        _extract(packages.zip(dict.fromkeys(names, "x")), tmp_path / "out")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_that_is_there_twice_is_refused(packages: Packages, tmp_path: Path) -> None:
    path = packages.zip_raw((zipfile.ZipInfo("a.js"), b"1"), (zipfile.ZipInfo("a.js"), b"2"))
    with pytest.raises(UsageError, match="there twice"):
        _extract(path, tmp_path / "out")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_a_link_or_device_is_refused(packages: Packages, tmp_path: Path, kind: int) -> None:
    info = zipfile.ZipInfo("link")
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    with pytest.raises(UsageError, match="a link" if kind == stat.S_IFLNK else "no plain file"):
        _extract(packages.zip_raw((info, b"/etc/passwd")), tmp_path / "out")


def test_an_archive_that_unfolds_to_too_much_is_stopped_while_it_does(packages: Packages, tmp_path: Path) -> None:
    path = packages.zip({"a": b"\0" * 3_000_000, "b": b"\0" * 3_000_000})
    assert path.stat().st_size < 20_000
    with pytest.raises(UsageError, match="unfolds to too much"):
        _extract(path, tmp_path / "out", Limits(total=4_000_000))
    assert sum(one.stat().st_size for one in (tmp_path / "out").iterdir()) <= 4_000_000


def test_an_archive_that_lies_about_sizes_is_refused(packages: Packages, tmp_path: Path) -> None:
    path = packages.zip({"a": b"\0" * 3_000_000})
    raw = bytearray(path.read_bytes())
    central = raw.index(b"PK\x01\x02")
    struct.pack_into("<I", raw, central + 24, 10)
    path.write_bytes(raw)
    with pytest.raises(UsageError):
        _extract(path, tmp_path / "out", Limits(total=1_000_000))


def test_too_many_files_are_refused(packages: Packages, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="too many files"):
        _extract(packages.zip({f"f{index}": "" for index in range(30)}), tmp_path / "out", Limits(files=20))


def test_a_list_of_files_that_fills_the_memory_is_not_read(packages: Packages, tmp_path: Path) -> None:
    path = packages.zip({"a": "x"})
    raw = bytearray(path.read_bytes())
    struct.pack_into("<I", raw, raw.rindex(b"PK\x05\x06") + 12, 200 << 20)
    path.write_bytes(raw)
    with pytest.raises(UsageError, match="lists too many files"):
        _extract(path, tmp_path / "out")


def test_an_encrypted_archive_is_refused(packages: Packages, tmp_path: Path) -> None:
    path = packages.zip({"a": "x"})
    raw = bytearray(path.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(UsageError, match="is encrypted"):
        _extract(path, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"PK", b"no zip at all", b"PK\x05\x06" + b"\0" * 18 + b"x"])
def test_what_is_no_archive_says_so(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(UsageError), archive.opened(tmp_path / "x.zip") as opened:
        opened.read("task.json", 10)


@given(st.binary(max_size=300), st.integers(0, 400))
def test_damage_is_an_error_and_never_a_defect(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, place: int
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("task.json", '{"a": 1}' * 20)
        file.writestr("lib/main.js", "console.log(1)")
    raw = bytearray(path.read_bytes())
    raw[place : place + len(junk)] = junk
    path.write_bytes(raw)
    try:
        _extract(path, folder / "out")
    except UsageError:
        return


def test_a_folder_is_copied_with_the_links_that_stay_in_it(packages: Packages, tmp_path: Path) -> None:
    package = packages.write(files={"node_modules/tool/cli.js": "tool", ".git/config": "x"})
    (package / "node_modules/.bin").mkdir()
    (package / "node_modules/.bin/tool").symlink_to("../tool/cli.js")
    archive.copy_folder(package, tmp_path / "out")
    copied = tmp_path / "out/node_modules/.bin/tool"
    assert copied.read_text() == "tool"
    assert not copied.is_symlink()
    assert not (tmp_path / "out/.git").exists()


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "node_modules"])
def test_a_folder_with_a_link_that_leads_out_is_refused(packages: Packages, tmp_path: Path, target: str) -> None:
    package = packages.write(files={"node_modules/a.js": "a"})
    (packages.folder / "outside").write_text("x")
    (package / "link").symlink_to(target)
    with pytest.raises(UsageError, match="a link"):
        archive.copy_folder(package, tmp_path / "out")


def test_a_pipe_in_a_folder_is_refused_and_not_read(packages: Packages, tmp_path: Path) -> None:
    package = packages.write()
    os.mkfifo(package / "pipe")
    with pytest.raises(UsageError, match="no plain file"):
        archive.copy_folder(package, tmp_path / "out")
