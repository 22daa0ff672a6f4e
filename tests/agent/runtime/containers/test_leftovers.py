from __future__ import annotations

import stat
from pathlib import Path

from sluice.runtime.containers import leftovers
from sluice.runtime.workspace import sweep


def test_a_note_lies_beside_the_private_folder_and_is_private(tmp_path: Path) -> None:
    leftovers.write(tmp_path / "7-a", "vsts_1", {"DOCKER_HOST": "unix:///nowhere/d.sock", "TOKEN": "not for the note"})
    note = tmp_path / "7-a.containers"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    assert "not for the note" not in note.read_text()


def test_a_note_stays_while_its_engine_does_not_answer(tmp_path: Path) -> None:
    leftovers.write(tmp_path / "7-a", "vsts_1", {"DOCKER_HOST": "unix:///nowhere/d.sock"})
    assert not leftovers.remove(tmp_path / "7-a.containers")
    assert (tmp_path / "7-a.containers").exists()


def test_half_a_note_is_forgotten(tmp_path: Path) -> None:
    (tmp_path / "_temp").mkdir()
    note = tmp_path / "_temp" / "7-a.containers"
    note.write_text('{"lookup": "vs')
    sweep(tmp_path)
    assert not note.exists()
