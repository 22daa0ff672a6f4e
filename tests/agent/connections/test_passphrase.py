"""Master keys that a passphrase opens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sluice.connections import passphrase
from sluice.connections.keys import FileKeys, choose_provider
from sluice.connections.passphrase import BLOCK, COST, PassphraseKeys, given_passphrase
from sluice.errors import SealError

RIGHT = "correct horse battery staple"


def keys(folder: Path, text: str = RIGHT, *, cost: int = 2**12) -> PassphraseKeys:
    """Cheap ones, but where the cost is what the test is about."""
    return PassphraseKeys(folder, lambda new: given_passphrase({"SLUICE_PASSPHRASE": text}, new=new), cost=cost)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "keys"


def content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "master.passphrase.json").read_text())
    return found


def test_the_right_passphrase_opens_the_key_and_another_does_not(folder: Path) -> None:
    key_id, key = keys(folder).current()
    assert keys(folder).key(key_id) == key
    assert key.hex() not in (folder / "master.passphrase.json").read_bytes().hex()
    with pytest.raises(SealError, match="not the one of the master key"):
        keys(folder, "incorrect horse battery staple").current()


def test_a_guess_takes_memory_and_no_two_installations_share_one(folder: Path, tmp_path: Path) -> None:
    keys(folder, cost=COST).current()
    keys(tmp_path / "other").current()
    kdf = content(folder)["kdf"]
    assert (kdf["name"], 128 * kdf["n"] * kdf["r"]) == ("scrypt", 128 * COST * BLOCK)
    assert 128 * COST * BLOCK >= 2**27
    assert kdf["salt"] != content(tmp_path / "other")["kdf"]["salt"]


def test_keys_are_rotated_and_forgotten_as_in_a_plain_file(folder: Path) -> None:
    provider = keys(folder)
    old, _ = provider.current()
    new, key = provider.rotate()
    assert provider.ids() == {old, new}
    provider.forget(old)
    assert keys(folder).current() == (new, key)
    with pytest.raises(SealError, match="not here"):
        keys(folder).key(old)


def test_the_keys_of_a_plain_file_are_taken_over(folder: Path) -> None:
    plain = FileKeys(folder / "master.json").current()
    assert keys(folder).current() == plain


@pytest.mark.parametrize(
    "kdf",
    [
        {"name": "plain"},
        {"name": "scrypt", "n": 2**30, "r": 8, "p": 1, "salt": ""},
        {"name": "scrypt", "n": 2**20, "r": 2**20, "p": 1, "salt": ""},
        {"name": "scrypt", "n": 3, "r": 8, "p": 1, "salt": ""},
        {"name": "scrypt", "n": True, "r": 8, "p": 1, "salt": ""},
        {"name": "scrypt", "n": 2**17, "r": 8, "p": 1, "salt": "?"},
        None,
    ],
)
def test_a_file_that_would_take_all_memory_is_damaged(folder: Path, kdf: object) -> None:
    keys(folder).current()
    file = folder / "master.passphrase.json"
    file.write_text(json.dumps({**content(folder), "kdf": kdf}))
    with pytest.raises(SealError, match="damaged"):
        keys(folder).current()


def test_keys_that_change_places_do_not_open(folder: Path) -> None:
    provider = keys(folder)
    old, _ = provider.current()
    new, _ = provider.rotate()
    stored = content(folder)
    stored["keys"] = {old: stored["keys"][new], new: stored["keys"][old]}
    (folder / "master.passphrase.json").write_text(json.dumps(stored))
    with pytest.raises(SealError, match="or the key file was changed"):
        keys(folder).current()


def test_without_a_passphrase_everything_stays_locked(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SealError, match="is locked"):
        choose_provider(folder, {"SLUICE_KEY_PROVIDER": "passphrase"}).current()
    file = tmp_path / "passphrase"
    with pytest.raises(SealError, match="cannot be read"):
        given_passphrase({"SLUICE_PASSPHRASE_FILE": str(file)}, new=True)
    file.write_text("\n")
    with pytest.raises(SealError, match="is empty"):
        given_passphrase({"SLUICE_PASSPHRASE_FILE": str(file)}, new=True)
    file.write_text("short\n")
    with pytest.raises(SealError, match=f"shorter than {passphrase.MINIMUM}"):
        given_passphrase({"SLUICE_PASSPHRASE_FILE": str(file)}, new=True)
    file.write_text(f"{RIGHT}\n")
    chosen = {"SLUICE_KEY_PROVIDER": "passphrase", "SLUICE_PASSPHRASE_FILE": str(file)}
    assert choose_provider(folder, chosen).current() == keys(folder).current()
