"""Daemons without any trace of their job."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from sluice.runtime.events import Event, StepFinished

if TYPE_CHECKING:
    from tests.agent.runtime.conftest import Jobs

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's processes")

DAEMON = "env -i /usr/bin/setsid /bin/sh -c 'echo $$ > {0}; exec sleep 300' > /dev/null 2>&1 < /dev/null &"
TWICE = (
    "env -i /usr/bin/setsid /bin/sh -c '(/usr/bin/setsid sleep 300 & echo $! > {0}) &' > /dev/null 2>&1 < /dev/null &"
)
WAIT = "while ! [ -s {0} ]; do sleep 0.01; done"


def _lives(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _ends(pid: int) -> bool:
    for _ in range(200):
        if not _lives(pid):
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("how", [DAEMON, TWICE])
def test_a_daemon_without_environment_ends_with_the_job(jobs: Jobs, tmp_path: Path, how: str) -> None:
    file = tmp_path / "pid"
    ran = jobs.run(jobs.script(f"{how}\n{WAIT}".format(file)), jobs.script(f"kill -0 $(cat {file}) && echo lives", "B"))
    assert ran.output("B") == ["lives"]  # for later steps it does
    assert _ends(int(file.read_text()))


def test_it_stays_when_the_job_says_so(jobs: Jobs, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    jobs.run(jobs.script(f"{DAEMON}\n{WAIT}".format(file)), variables=jobs.variables(**{"process.clean": "false"}))
    pid = int(file.read_text())
    assert _lives(pid)
    os.kill(pid, 9)
    os.waitpid(pid, 0)


def test_what_another_job_left_lives_until_no_job_runs(jobs: Jobs, tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    over, looked = threading.Event(), threading.Event()
    seen: list[bool] = []

    def wait(event: Event) -> None:
        if isinstance(event, StepFinished) and event.step == "A":
            over.wait(20)
            seen.append(_lives(int(first.read_text())))
            looked.set()

    long = jobs.request(jobs.script(f"{DAEMON}\n{WAIT}".format(first)), jobs.script("true", "B"))
    thread = threading.Thread(target=lambda: jobs.go(long, watch=wait))
    thread.start()
    while not first.exists() or not first.read_text():
        time.sleep(0.01)
    jobs.run(jobs.script(f"{DAEMON}\n{WAIT}".format(second)), id="other", run_id=8, workspace=jobs.work / "2")
    over.set()
    thread.join()
    assert looked.is_set()
    assert seen == [True]
    assert _ends(int(first.read_text()))
    assert _ends(int(second.read_text()))


def test_what_this_process_has_started_itself_is_left(jobs: Jobs) -> None:
    before = subprocess.Popen(["sleep", "300"], start_new_session=True)
    meanwhile: list[subprocess.Popen[bytes]] = []

    def start(event: Event) -> None:
        if isinstance(event, StepFinished):
            meanwhile.append(subprocess.Popen(["sleep", "300"]))

    jobs.run(jobs.script("true"), watch=start)
    for process in (before, *meanwhile):
        assert process.poll() is None
        process.kill()
        process.wait()


def test_no_dead_child_is_left(jobs: Jobs) -> None:
    listed = Path(f"/proc/{os.getpid()}/task/{threading.get_native_id()}/children")
    before = set(listed.read_text().split())  # what another test has left is its own concern
    jobs.run(jobs.script("for i in 1 2 3; do (sleep 0.01 &) ; done; sleep 0.1"))
    children = set(listed.read_text().split()) - before
    states = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] for pid in children]
    assert "Z" not in states
