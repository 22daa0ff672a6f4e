"""Processes that outlive their job."""

from __future__ import annotations

import os
import subprocess
import uuid
from pathlib import Path

import pytest

from sluice.runtime.orphans import LOOKUP_VARIABLE, find_orphans, kill_orphans, lookup_id
from sluice.runtime.request import JobRequest

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="no /proc here")


def start(lookup: str, script: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        ["bash", "-c", script],
        env={"PATH": os.environ["PATH"], LOOKUP_VARIABLE: lookup},
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    process.stdout.close()
    return process


def test_only_processes_with_the_id_are_ended() -> None:
    mine, other = f"vsts_{uuid.uuid4()}", f"vsts_{uuid.uuid4()}"
    orphan = start(mine, "echo ready; setsid sleep 100; sleep 100")
    stranger = start(other, "echo ready; sleep 100")
    try:
        ended = kill_orphans(mine)
        assert orphan.pid in {one.pid for one in ended}
        assert orphan.wait(5) == -9
        assert find_orphans(mine) == []
        assert stranger.poll() is None
    finally:
        kill_orphans(other)
        stranger.wait(5)


def test_nothing_is_ended_for_an_unknown_id() -> None:
    assert kill_orphans(f"vsts_{uuid.uuid4()}") == []


def test_the_id_is_the_same_for_one_attempt_and_differs_between_attempts(tmp_path: Path) -> None:
    def request(**parts: object) -> JobRequest:
        given: dict[str, object] = {
            "run_id": 1,
            "id": "j",
            "identifier": "J",
            "display_name": "J",
            "work": tmp_path,
            "workspace": tmp_path / "1",
        }
        return JobRequest(**(given | parts))  # type: ignore[arg-type]

    assert lookup_id(request()) == lookup_id(request())
    assert len({lookup_id(request(attempt=attempt, run_id=run)) for attempt in (1, 2) for run in (1, 2)}) == 4
    assert lookup_id(request()).startswith("vsts_")
