"""Unpacking archives that may mean harm."""

from __future__ import annotations

import contextlib
import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.errors import TaskFailedError
from sluice.runtime import unpacking
from sluice.runtime.unpacking import Unpacking


def member(
    name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0, mode: int = 0o644
) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size, info.mode = kind, link, size, mode
    return info


def tar(path: Path, *members: tarfile.TarInfo, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as file:  # type: ignore[call-overload]  # a mode that tarfile knows
        for info in members:
            file.addfile(info, io.BytesIO(b"x" * info.size))
    return path


def packed(path: Path, *entries: tuple[str, str, int]) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name, text, mode in entries:
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, mode << 16
            file.writestr(info, text)
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


def unpack(archive: Path, target: Path, *, overwrite: bool = False) -> None:
    work = Unpacking(archive, target, overwrite, lambda: None)
    (work.zip if archive.suffix == ".zip" else work.tar)()


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x", "..\\x", "\\x", "a/b/../../../x"])
def test_a_name_that_leads_out_is_refused(name: str, tmp_path: Path, target: Path) -> None:
    for archive in (tar(tmp_path / "a.tgz", member(name, size=1)), packed(tmp_path / "a.zip", (name, "x", 0o100644))):
        with pytest.raises(TaskFailedError, match="leads out of the folder"):
            unpack(archive, target)
    assert {path.name for path in tmp_path.iterdir()} == {"a.tgz", "a.zip", "target"}


@pytest.mark.parametrize(
    "members",
    [
        [member("l", tarfile.SYMTYPE, "/etc/passwd")],
        [member("l", tarfile.SYMTYPE, "../outside")],
        [member("d/l", tarfile.SYMTYPE, "../../outside")],
        [member("a/b/x", tarfile.SYMTYPE, "../.."), member("a/b/y", tarfile.SYMTYPE, "x/..")],
        [member("a/b/y", tarfile.SYMTYPE, "x/.."), member("a/b/x", tarfile.SYMTYPE, "../..")],
        [member("l", tarfile.LNKTYPE, "../secret")],
        [member("l", tarfile.LNKTYPE, "nothing")],
        [member("l", tarfile.SYMTYPE, "f"), member("h", tarfile.LNKTYPE, "l")],
        [member("f", tarfile.FIFOTYPE)],
        [member("d", tarfile.CHRTYPE)],
        [member("b", tarfile.BLKTYPE)],
    ],
)
def test_links_that_lead_out_and_devices_are_refused(
    members: list[tarfile.TarInfo], tmp_path: Path, target: Path
) -> None:
    (tmp_path / "secret").write_text("s")
    with pytest.raises(TaskFailedError, match="refused"):
        unpack(tar(tmp_path / "a.tgz", *members), target)
    assert not [path for path in target.rglob("*") if path.is_symlink()]


def test_nothing_is_written_through_a_link_of_the_archive(tmp_path: Path, target: Path) -> None:
    (tmp_path / "outside").mkdir()
    archive = tar(tmp_path / "a.tgz", member("d", tarfile.SYMTYPE, "../outside"), member("d/f", size=1))
    with pytest.raises(TaskFailedError):
        unpack(archive, target)
    assert not list((tmp_path / "outside").iterdir())


def test_nothing_is_written_through_a_link_that_is_there_already(tmp_path: Path, target: Path) -> None:
    (tmp_path / "outside").mkdir()
    (target / "d").symlink_to(tmp_path / "outside")
    (tmp_path / "victim").write_text("mine")
    (target / "f").symlink_to(tmp_path / "victim")
    with pytest.raises(TaskFailedError, match="through the link"):
        unpack(tar(tmp_path / "a.tgz", member("d/f", size=1)), target, overwrite=True)
    unpack(tar(tmp_path / "b.tgz", member("f", size=1)), target, overwrite=True)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (target / "f").is_symlink()


def test_links_that_stay_inside_are_made(tmp_path: Path, target: Path) -> None:
    archive = tar(
        tmp_path / "a.tgz",
        member("bin/tool", tarfile.SYMTYPE, "../lib/tool.js"),
        member("lib/tool.js", size=3, mode=0o755),
        member("lib/again", tarfile.LNKTYPE, "lib/tool.js"),
    )
    unpack(archive, target)
    assert (target / "bin/tool").resolve() == target / "lib/tool.js"
    assert (target / "lib/again").read_text() == "xxx"
    assert (target / "lib/tool.js").stat().st_mode & stat.S_IXUSR


def test_a_link_in_a_zip_is_held_to_the_same(tmp_path: Path, target: Path) -> None:
    with pytest.raises(TaskFailedError, match="refused"):
        unpack(packed(tmp_path / "a.zip", ("l", "/etc/passwd", stat.S_IFLNK | 0o777)), target)
    unpack(packed(tmp_path / "b.zip", ("f", "x", 0o100644), ("l", "f", stat.S_IFLNK | 0o777)), target)
    assert (target / "l").read_text() == "x"


@pytest.mark.parametrize("make", [
    lambda path: tar(path / "a.tgz", member("f", size=1 << 20)),
    lambda path: tar(path / "a.txz", member("f", size=1 << 20), mode="w:xz"),
    lambda path: tar(path / "a.tbz", member("f", size=1 << 20), mode="w:bz2"),
])  # fmt: skip
def test_an_archive_that_unfolds_to_too_much_is_refused(
    make: Callable[[Path], Path], tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1 << 16)
    monkeypatch.setattr(unpacking, "MAX_RATIO", 10)
    with pytest.raises(TaskFailedError, match="unfolds to too much"):
        unpack(make(tmp_path), target)


def test_a_zip_that_unfolds_to_too_much_is_refused(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unpacking, "FREE_BYTES", 1 << 16)
    monkeypatch.setattr(unpacking, "MAX_RATIO", 10)
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("f", b"0" * (1 << 20))
    with pytest.raises(TaskFailedError, match="unfolds to too much"):
        unpack(tmp_path / "a.zip", target)


def test_a_header_that_claims_gigabytes_is_not_read(tmp_path: Path, target: Path) -> None:
    header = member("x", tarfile.XHDTYPE)
    header.size = 1 << 33
    (tmp_path / "a.tar").write_bytes(header.tobuf(tarfile.GNU_FORMAT) + b"0" * 2048)
    with pytest.raises(TaskFailedError, match="unfolds to too much"):
        unpack(tmp_path / "a.tar", target)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8bnothing", b"PK\x03\x04", b"BZh9", b"\xfd7zXZ\x00", b"text" * 200])
def test_what_is_no_archive_is_told(content: bytes, tmp_path: Path, target: Path) -> None:
    for name in ("a.tar", "a.zip"):
        (tmp_path / name).write_bytes(content)
        if content or name == "a.zip":
            with pytest.raises(TaskFailedError, match="cannot be unpacked"):
                unpack(tmp_path / name, target)


def test_a_file_that_is_there_stays_unless_it_may_be_replaced(tmp_path: Path, target: Path) -> None:
    (target / "f").write_text("old")
    archive = packed(tmp_path / "a.zip", ("f", "new", 0o100644))
    with pytest.raises(TaskFailedError, match="exists already"):
        unpack(archive, target)
    unpack(archive, target, overwrite=True)
    assert (target / "f").read_text() == "new"


def test_an_encrypted_entry_is_told(tmp_path: Path, target: Path) -> None:
    archive = packed(tmp_path / "a.zip", ("f", "x", 0o100644))
    raw = bytearray(archive.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(raw)
    with pytest.raises(TaskFailedError, match="encrypted"):
        unpack(archive, target)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.binary(max_size=600), st.integers(0, 700), st.sampled_from(["a.tar", "a.tgz", "a.zip"]))
def test_damage_anywhere_is_told_and_leaves_nothing_outside(
    tmp_path: Path, noise: bytes, place: int, name: str
) -> None:
    folder = tmp_path / "t"
    folder.mkdir(exist_ok=True)
    if name.endswith("zip"):
        packed(tmp_path / name, ("d/f", "x", 0o100644))
    else:
        tar(tmp_path / name, member("d/f", size=1), mode="w" if name.endswith("tar") else "w:gz")
    raw = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(raw[:place] + noise + raw[place + len(noise) :])
    with contextlib.suppress(TaskFailedError, OSError):
        unpack(tmp_path / name, folder, overwrite=True)
    assert {path.name for path in tmp_path.iterdir()} <= {"a.tar", "a.tgz", "a.zip", "t"}


def test_files_keep_their_modes_and_times(tmp_path: Path, target: Path) -> None:
    dated = member("t600", size=1, mode=0o4600)
    dated.mtime = 1_000_000_000
    unpack(tar(tmp_path / "a.tgz", dated, member("t755", mode=0o755)), target)
    unpack(packed(tmp_path / "a.zip", ("z400", "x", 0o100400), ("z4711", "x", 0o104711)), target)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in target.iterdir()}
    assert modes == {"t600": 0o600, "t755": 0o755, "z400": 0o400, "z4711": 0o711}
    assert (target / "t600").stat().st_mtime == 1_000_000_000
    assert datetime.fromtimestamp((target / "z400").stat().st_mtime).year == 1980  # noqa: DTZ006  # a zip tells local time
