"""The state folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sluice.errors import SealError, StorageError
from sluice.storage.engine import Database
from sluice.storage.home import Home


def test_the_variable_chooses_the_folder(tmp_path: Path) -> None:
    home = Home.find({"SLUICE_HOME": str(tmp_path / "x"), "SLUICE_DATABASE_URL": "sqlite:///y"})
    assert home == Home(tmp_path / "x", "sqlite:///y")


def test_without_the_variable_it_is_the_platforms_folder_for_user_data() -> None:
    assert Home.find({}).root.name == "sluice"


def test_every_folder_is_open_to_its_owner_only(tmp_path: Path) -> None:
    home = Home(tmp_path / "deep" / "x").create()
    for folder in (home.root, home.data, home.keys, home.logs, home.work):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_the_keys_are_not_in_the_data_folder(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.data not in home.keys.parents
    assert home.database.parent == home.data


def test_a_file_in_the_way_is_one_clear_error(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(StorageError, match="cannot be made"):
        Home(tmp_path / "x" / "y").create()


@pytest.mark.parametrize("mode", [0o755, 0o770, 0o701])
def test_a_folder_of_keys_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    home = Home(tmp_path / "x").create()
    home.keys.chmod(mode)
    with pytest.raises(SealError, match="open to others"):
        Database.open(home)
    home.keys.chmod(0o700)
    Database.open(home).close()


def test_a_state_folder_in_which_others_could_put_other_keys_is_refused(tmp_path: Path) -> None:
    home = Home(tmp_path / "x").create()
    home.root.chmod(0o775)
    with pytest.raises(SealError, match="chmod go-w"):
        Database.open(home)


def test_data_that_is_open_to_others_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path / "x")
    Database.open(home).close()
    assert home.exposed() == ()
    home.data.chmod(0o755)
    home.database.chmod(0o644)
    assert home.exposed() == (home.data, home.database)
