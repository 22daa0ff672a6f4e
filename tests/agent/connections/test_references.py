"""Secret references."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sluice.connections.references import check_reference, resolve
from sluice.errors import ConnectionInvalidError, NotFoundError, SluiceError
from sluice.secret import Secret


def test_the_environment_is_read_at_each_use(monkeypatch: pytest.MonkeyPatch) -> None:
    for value in ("first", "second"):
        monkeypatch.setenv("APP_TEST_SECRET", value)
        assert resolve("env:APP_TEST_SECRET") == Secret(value)
    monkeypatch.delenv("APP_TEST_SECRET")
    with pytest.raises(NotFoundError, match="APP_TEST_SECRET"):
        resolve("env:APP_TEST_SECRET")


@pytest.mark.parametrize(
    ("raw", "secret"),
    [
        (b"token", "token"),
        (b"token\n", "token"),
        (b"token\r\n", "token"),
        (b" token \n", " token "),
        (b"line\nline\n", "line\nline\n"),
        (b"\xef\xbb\xbft\xc3\xb6ken", "töken"),
    ],
)
def test_the_line_end_of_a_one_line_file_is_no_part_of_its_secret(tmp_path: Path, raw: bytes, secret: str) -> None:
    (tmp_path / "x").write_bytes(raw)
    assert resolve(f"file:{tmp_path / 'x'}") == Secret(secret)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"x" * 2_000_000])
def test_a_file_that_holds_no_secret_is_refused(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(ConnectionInvalidError, match=str(tmp_path)):
        resolve(f"file:{tmp_path / 'x'}")


def test_missing_files_folders_and_relative_paths_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(NotFoundError, match=str(path)):
            resolve(f"file:{path}")
    with pytest.raises(ConnectionInvalidError, match="full path"):
        resolve("file:relative")


def test_plugins_offer_further_sources() -> None:
    def vault(reference: str) -> Secret:
        return Secret(f"<{reference}>")

    assert resolve("VAULT:kv/x:y", {"vault": vault}) == Secret("<kv/x:y>")
    check_reference("env:X", {"vault": vault})
    with pytest.raises(ConnectionInvalidError, match=r"env:, file:, vault:"):
        check_reference("vualt:kv/x", {"vault": vault})


@pytest.mark.parametrize("text", ["", "hunter2secret", ":x", "env:", "hunter2secret:x"])
def test_what_is_no_reference_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(SluiceError, match="no secret reference") as caught:
        check_reference(text, {})
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("reference", ["env:SLUICE_MASTER_KEY", "ENV:SLUICE_DATABASE_URL", "env: sluice_master_key"])
def test_sluice_s_own_variables_are_no_secrets(monkeypatch: pytest.MonkeyPatch, reference: str) -> None:
    monkeypatch.setenv("SLUICE_MASTER_KEY", "the key itself")
    monkeypatch.setenv("SLUICE_DATABASE_URL", "postgresql://u:password@h/d")
    for act in (check_reference, resolve):
        with pytest.raises(ConnectionInvalidError, match="Sluice's own"):
            act(reference)


def test_sluice_s_own_files_are_no_secrets_however_they_are_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True)
    key = home / "keys" / "master.json"
    key.write_text("the key itself")
    monkeypatch.setenv("SLUICE_HOME", str(home))
    link, hard, folder = tmp_path / "link", tmp_path / "hard", tmp_path / "folder"
    link.symlink_to(key)
    hard.hardlink_to(key)
    folder.symlink_to(home)
    roundabout = tmp_path / "folder" / "keys" / ".." / "keys" / "master.json"
    for path in (key, link, hard, roundabout, Path(f"/proc/self/root{key}"), Path("/proc/self/environ")):
        with pytest.raises(ConnectionInvalidError):
            resolve(f"file:{path}")


@pytest.mark.parametrize("target", ["pipe", "/dev/zero", "/dev/tty"])
def test_what_is_no_file_is_not_read_and_not_waited_for(tmp_path: Path, target: str) -> None:
    path = tmp_path / "x"
    if target == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(target)
    with pytest.raises(SluiceError, match=str(path)):
        resolve(f"file:{path}")
