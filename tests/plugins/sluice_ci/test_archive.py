from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from sluice.plugin import CanceledError, TaskFailedError
from sluice_ci._archive import unpack


def packed(folder: Path, *entries: tuple[str | zipfile.ZipInfo, bytes]) -> Path:
    path = folder / "x.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return path


def test_files_arrive_without_the_first_folder(tmp_path: Path) -> None:
    source = packed(
        tmp_path, ("archive/", b""), ("archive/a/b.txt", b"b"), ("archive/12:30.log", b""), ("other/c", b"c")
    )
    unpack(source, tmp_path / "out", strip="archive")
    found = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert found == {"a/b.txt", "12:30.log", "other/c"}


@pytest.mark.parametrize("name", ["../x", "a/../../x", "/etc/x", "C:/x", "a\\..\\..\\x", "archive/../../x"])
def test_a_name_that_leaves_the_folder_ends_it_before_anything_is_written(tmp_path: Path, name: str) -> None:
    source = packed(tmp_path, ("good.txt", b"g"), (name, b"x"))
    with pytest.raises(TaskFailedError, match="leaves the folder"):
        unpack(source, tmp_path / "deep" / "out", strip="archive")
    assert not (tmp_path / "deep").exists()


def test_a_link_in_the_archive_or_in_the_folder_is_not_followed(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(TaskFailedError, match="there is a link in it"):
        unpack(packed(tmp_path, (link, b"/etc")), tmp_path / "out")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "there").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(TaskFailedError, match="leaves the folder"):
        unpack(packed(tmp_path, ("there/x", b"x")), tmp_path / "out")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    with pytest.raises(TaskFailedError, match="grows more than 1000 times"):
        unpack(packed(tmp_path, ("zeros", bytes(64 << 20))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("cut", [0, 10, -30])
def test_what_is_no_zip_file_is_told(tmp_path: Path, cut: int) -> None:
    source = packed(tmp_path, ("a", b"data" * 100))
    source.write_bytes(source.read_bytes()[:cut])
    with pytest.raises(TaskFailedError, match=r"x\.zip is no sound zip file"):
        unpack(source, tmp_path / "out")


def test_damaged_data_is_told(tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a", b"secret-data")
    (tmp_path / "x.zip").write_bytes(content.getvalue().replace(b"secret-data", b"sEcret-data", 1))
    with pytest.raises(TaskFailedError, match="no sound zip file: Bad CRC"):
        unpack(tmp_path / "x.zip", tmp_path / "out")


def test_unpacking_ends_when_it_is_canceled(tmp_path: Path) -> None:
    def check() -> None:
        raise CanceledError("canceled")

    with pytest.raises(CanceledError):
        unpack(packed(tmp_path, ("a", b"a")), tmp_path / "out", check=check)
