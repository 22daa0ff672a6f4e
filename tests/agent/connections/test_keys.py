"""Key providers: the file, the environment, and those of plugins."""

from __future__ import annotations

import base64
import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from sluice.connections.keys import EnvironmentKeys, FileKeys, choose_provider
from sluice.errors import PluginError, SealError, StorageError
from sluice.hooks.manager import PluginHost

KEY = base64.b64encode(b"k" * 32).decode()
OTHER = base64.b64encode(b"o" * 32).decode()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.json"


def test_the_file_is_made_on_first_use_for_its_owner_only(path: Path) -> None:
    key_id, key = FileKeys(path).current()
    assert len(key) == 32
    assert FileKeys(path).current() == (key_id, key)
    assert FileKeys(path).key(key_id) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["master.json"]


def test_processes_that_start_at_once_agree_on_one_key(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from sluice.connections.keys import FileKeys; "
        "sys.stdin.readline(); print(FileKeys(Path(sys.argv[1])).current())"
    )
    children = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    for child in children:
        assert child.stdin
        child.stdin.write("\n")
        child.stdin.flush()
    answers = {child.communicate(timeout=60)[0] for child in children}
    assert len(answers) == 1
    assert "file-" in answers.pop()


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o620, 0o602])
def test_a_file_that_others_may_use_is_refused_with_the_way_to_close_it(path: Path, mode: int) -> None:
    FileKeys(path).current()
    path.chmod(mode)
    with pytest.raises(SealError, match=r"open to others.*chmod 600"):
        FileKeys(path).current()
    path.chmod(0o600)
    assert FileKeys(path).current()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "x",
        "[]",
        "{}",
        '{"format": 2, "current": "a", "keys": {"a": "' + KEY + '"}}',
        '{"format": 1, "current": "b", "keys": {"a": "' + KEY + '"}}',
        '{"format": 1, "current": "a", "keys": {"a": "c2hvcnQ="}}',
        '{"format": 1, "current": "a", "keys": {"a": 7}}',
        '{"format": 1, "current": "a", "keys": []}',
        '{"format": 1, "current": "a"}',
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_one_clear_error_and_is_left_alone(path: Path, content: str) -> None:
    FileKeys(path).current()
    path.write_text(content)
    for attempt in (FileKeys(path).current, FileKeys(path).rotate):
        with pytest.raises(SealError, match="damaged"):
            attempt()
    assert path.read_text() == content


def test_a_symbolic_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    FileKeys(tmp_path / "elsewhere" / "master.json").current()
    path.parent.mkdir()
    path.symlink_to(tmp_path / "elsewhere" / "master.json")
    with pytest.raises(SealError, match="cannot be read"):
        FileKeys(path).current()


def test_a_folder_in_the_way_is_one_clear_error(path: Path) -> None:
    path.parent.parent.joinpath("keys").write_text("")
    with pytest.raises((SealError, StorageError)):
        FileKeys(path).current()


def test_rotation_keeps_the_old_key_until_it_is_forgotten(path: Path) -> None:
    keys = FileKeys(path)
    old_id, old = keys.current()
    new_id, new = keys.rotate()
    assert (new_id, new) == keys.current()
    assert keys.key(old_id) == old
    assert keys.ids() == {old_id, new_id}
    keys.forget(old_id)
    assert keys.ids() == {new_id}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(SealError, match="not here"):
        keys.key(old_id)


def test_a_rotation_clears_what_a_killed_process_has_left(path: Path) -> None:
    FileKeys(path).current()
    path.with_name(".master.json.0123").write_text("keys")
    FileKeys(path).rotate()
    assert [file.name for file in path.parent.iterdir()] == ["master.json"]


def test_the_current_key_is_never_forgotten(path: Path) -> None:
    keys = FileKeys(path)
    key_id, _ = keys.current()
    keys.forget(key_id)
    keys.forget("unknown")
    assert keys.ids() == {key_id}


def test_a_lost_file_is_told_and_not_made_anew_for_an_old_key(path: Path) -> None:
    with pytest.raises(SealError, match="missing"):
        FileKeys(path).key("file-1")
    assert not path.exists()


def test_the_environment_holds_a_key(tmp_path: Path) -> None:
    keys = choose_provider(tmp_path, {"SLUICE_MASTER_KEY": KEY})
    key_id, key = keys.current()
    assert key == b"k" * 32
    assert keys.key(key_id) == key
    assert KEY not in key_id
    with pytest.raises(SealError, match="another master key"):
        keys.key("file-1")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["hunter2secret", "aHVudGVyMg==", KEY + "=", "ü" * 44])
def test_a_wrong_key_in_the_environment_is_not_repeated(text: str) -> None:
    with pytest.raises(SealError, match="32 bytes in base64") as caught:
        EnvironmentKeys({"SLUICE_MASTER_KEY": text}).current()
    assert text not in str(caught.value)


def test_the_environment_rotates_only_with_the_previous_key_beside_the_new_one() -> None:
    with pytest.raises(SealError, match="SLUICE_MASTER_KEY_PREVIOUS"):
        EnvironmentKeys({"SLUICE_MASTER_KEY": KEY}).rotate()
    old_id, _ = EnvironmentKeys({"SLUICE_MASTER_KEY": KEY}).current()
    keys = EnvironmentKeys({"SLUICE_MASTER_KEY": OTHER, "SLUICE_MASTER_KEY_PREVIOUS": KEY})
    assert keys.rotate()[1] == b"o" * 32
    assert keys.key(old_id) == b"k" * 32
    keys.forget(old_id)


@pytest.mark.parametrize(
    ("environment", "kind"),
    [
        ({}, FileKeys),
        ({"SLUICE_MASTER_KEY": KEY}, EnvironmentKeys),
        ({"SLUICE_MASTER_KEY": KEY, "SLUICE_KEY_PROVIDER": "file"}, FileKeys),
        ({"SLUICE_KEY_PROVIDER": "Environment"}, EnvironmentKeys),
    ],
)
def test_the_variable_chooses_the_provider(tmp_path: Path, environment: Mapping[str, str], kind: type) -> None:
    assert isinstance(choose_provider(tmp_path, environment), kind)


def test_plugins_offer_providers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "acme_keys.py").write_text(
        "from sluice.plugin import hookimpl\n"
        "class Keys:\n    def current(self): return 'acme-1', b'a' * 32\n"
        "@hookimpl\ndef sluice_key_providers(): return {'acme': Keys()}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    host = PluginHost([EntryPoint("acme", "acme_keys", "sluice")])
    assert choose_provider(tmp_path, {"SLUICE_KEY_PROVIDER": "ACME"}, host).current()[0] == "acme-1"
    with pytest.raises(PluginError, match="acme, environment, file"):
        choose_provider(tmp_path, {"SLUICE_KEY_PROVIDER": "acne"}, host)


def test_the_file_holds_nothing_but_keys(path: Path) -> None:
    FileKeys(path).rotate()
    assert set(json.loads(path.read_text())) == {"format", "current", "keys"}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to give a file away")
def test_a_file_of_another_user_is_refused(path: Path) -> None:
    FileKeys(path).current()
    os.chown(path, 12345, 12345)
    with pytest.raises(SealError, match="another user"):
        FileKeys(path).current()
