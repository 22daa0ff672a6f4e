from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from sluice.errors import ConflictError
from sluice.runs.lock import is_driven, run_lock


def test_one_at_a_time_holds_the_lock_of_a_run(tmp_path: Path) -> None:
    with run_lock(tmp_path, 7):
        with pytest.raises(ConflictError, match=f"run 7 is being run by process {os.getpid()}"), run_lock(tmp_path, 7):
            pass
        with run_lock(tmp_path, 8):
            pass
    with run_lock(tmp_path, 7):
        pass


def test_whether_a_run_is_driven(tmp_path: Path) -> None:
    assert not is_driven(tmp_path, 7)
    with run_lock(tmp_path, 7):
        assert is_driven(tmp_path, 7)
    assert not is_driven(tmp_path, 7)


def test_looking_whether_a_run_is_driven_does_not_keep_others_from_driving_it(tmp_path: Path) -> None:
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            is_driven(tmp_path, 7)

    lookers = [threading.Thread(target=look) for _ in range(3)]
    for looker in lookers:
        looker.start()
    try:
        for _ in range(200):
            with run_lock(tmp_path, 7):
                pass
    finally:
        over.set()
        for looker in lookers:
            looker.join()
