"""Ten thousand runs that wait for a Permit: `python benchmarks/waiting.py`.

A run that waits needs no process at all. What is measured is one that looks after all of them, as a server does: its
memory with 1,000 and with 10,000 (G15), how long it takes from its start to have found and advanced every one after it
was killed with SIGKILL (G16), and one Permit that lets 1,000 go on. G15 is also the time from a Permit
that is stored to the first output of a step, with `sluice run` waiting in a process of its own.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from measure import Goal, verdict_of

SLUICE = [sys.executable, "-m", "sluice"]
RUNS = 10_000
FREED = 1_000
FEW = 1_000
PERMITS = 15
IDLE_SECONDS = 5
MEBIBYTE = 1 << 20
PIPELINE = """\
steps:
- checkout: none
- task: SSH@0
  inputs: {sshEndpoint: %s, runOptions: inline, inline: 'true'}
"""
PERMITTED = """\
variables:
- group: %s
steps:
- checkout: none
- script: echo first-output
"""


def main() -> int:
    """Everything in a state folder of its own; status 1 when a goal at "must" is missed."""
    if sys.argv[1:2] == ["look"]:
        return _look(stay="--stay" in sys.argv)
    if sys.argv[1:2] == ["permit"]:
        return _permit(sys.argv[2])
    if sys.argv[1:2] == ["fill"]:
        return _fill(sys.argv[2], int(sys.argv[3]))
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        return 0 if all(measure(Path(folder))) else 1


def measure(work: Path) -> list[bool]:
    """G15 and G16."""
    folder = work / "waiting"
    folder.mkdir()
    before = os.environ.get("SLUICE_HOME")
    os.environ["SLUICE_HOME"] = str(work / "waiting-home")
    try:
        return [*_many(folder), _permit_to_output(folder)]
    finally:
        if before is None:
            del os.environ["SLUICE_HOME"]
        else:
            os.environ["SLUICE_HOME"] = before


def _many(folder: Path) -> list[bool]:
    for name in ("target", "other"):
        _sluice(
            folder,
            *f"connection create {name} --type ssh --set host=h --set username=u --secret-ref password=env:P".split(),
        )
        (folder / f"{name}.yml").write_text(PIPELINE % name)
    started = time.perf_counter()
    _own(folder, "fill", str(folder / "target.yml"), str(FEW))
    few = _own(folder, "look")
    _own(folder, "fill", str(folder / "other.yml"), str(RUNS - FEW))
    print(f"     {RUNS:,} runs were made in {time.perf_counter() - started:.0f} s")
    _killed(folder)
    many = _own(folder, "look")
    return [_flat(few, many), _resumable(many), _freed(folder)]


def _flat(few: dict[str, Any], many: dict[str, Any]) -> bool:
    goal = Goal(name="G15", what=f"memory for {RUNS - FEW:,} runs more", must=2, moonshot=2)
    more = (many["rss"] - few["rss"]) / MEBIBYTE
    met = more <= goal.must and many["idle"] <= 0.01
    print(
        f"{goal.name:4} {goal.what:42} {more:8.1f} MiB (must {goal.must:g}): {verdict_of(met=met, best=met):8}"
        f"  {many['rss'] / MEBIBYTE:.0f} MiB in all; {many['idle']:.1%} of a core while they wait"
    )
    return met


def _resumable(many: dict[str, Any]) -> bool:
    goal = Goal(name="G16", what=f"{RUNS:,} runs found and advanced after a kill", must=10, moonshot=2)
    assert many["found"] == RUNS, many
    assert many["ready"] == 0, many
    met = many["seconds"] <= goal.must
    print(
        f"{goal.name:4} {goal.what:42} {many['seconds']:8.1f} s   (must {goal.must:g}, moonshot {goal.moonshot:g}): "
        f"{verdict_of(met=met, best=many['seconds'] <= goal.moonshot):8}  CPU {many['cpu']:.1f} s"
    )
    return met


def _freed(folder: Path) -> bool:
    """`sluice permit`, which advances all that the Permit concerns before it ends; then they are looked at anew."""
    goal = Goal(name="    ", what=f"one Permit that frees {FREED:,} runs", must=5, moonshot=2)
    start = time.perf_counter()
    _sluice(folder, "permit", "1")
    took = time.perf_counter() - start
    after = _own(folder, "look")
    assert (after["found"], after["ready"]) == (RUNS, FREED), after
    met = took <= goal.must
    print(
        f"{goal.name:4} {goal.what:42} {took:8.1f} s   (must {goal.must:g}, moonshot {goal.moonshot:g}): "
        f"{verdict_of(met=met, best=took <= goal.moonshot):8}"
    )
    return met


def _killed(folder: Path) -> None:
    """A process that looks after them all, killed in the midst of it."""
    command = [sys.executable, __file__, "look", "--stay"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # the first batch is stored
        process.send_signal(signal.SIGKILL)


def _permit_to_output(folder: Path) -> bool:
    """From a Permit being stored by one process to the line on the screen of `sluice run`, which waits in another."""
    goal = Goal(name="G15", what="Permit to the first output of a step", must=500, moonshot=100)
    times = []
    for number in range(PERMITS):
        _sluice(folder, "variable-group", "create", f"group-{number}", "--set", "x=y")
        (folder / f"{number}.yml").write_text(PERMITTED % f"group-{number}")
        times.append(_one_permit(folder, f"{number}.yml") * 1000)
    worst = max(times)
    met = worst <= goal.must
    print(
        f"{goal.name:4} {goal.what:42} {worst:8.1f} ms  (must {goal.must:g}, moonshot {goal.moonshot:g}; p99): "
        f"{verdict_of(met=met, best=worst <= goal.moonshot):8}  median {statistics.median(times):.1f} ms of {PERMITS}"
    )
    return met


def _one_permit(folder: Path, file: str) -> float:
    command = [*SLUICE, "run", file]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if "sluice permit" in line:
                break
        permitting = subprocess.run(
            [sys.executable, __file__, "permit", _newest(folder)],
            cwd=folder,
            check=True,
            capture_output=True,
            text=True,
        )
        stored = float(permitting.stdout)
        for line in run.stdout:
            if line.rstrip().endswith("first-output") and "echo" not in line:
                took = time.time() - stored
                break
        else:
            raise RuntimeError(f"{command} never printed its output")
        run.stdout.read()
    return took


def _newest(folder: Path) -> str:
    listed = json.loads(_sluice(folder, "runs", "list", "--limit", "1", "--output", "json"))
    return str(listed[0]["id"])


def _sluice(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*SLUICE, *arguments], cwd=folder, check=True, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL
    )
    return done.stdout


def _own(folder: Path, *arguments: str) -> dict[str, Any]:
    """What this script says of what it does in a process of its own; `seconds` are since that process was asked for."""
    start = time.time()
    command = [sys.executable, __file__, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return {**told, "seconds": told["at"] - start}


def _fill(file: str, count: int) -> int:
    """Runs that wait for a Permit, each created and brought to its checkpoint."""
    from sluice.cli.installation import current_user
    from sluice.cli.session import opened_orchestrator, task_catalogue
    from sluice.runs.advancing import BATCH, advance_all
    from sluice.runs.compiling import Given, Identity, compile_file, find_file
    from sluice.runs.creation import NewRun, create_in
    from sluice.runs.pipelines import register_in

    with opened_orchestrator() as orchestrator:
        found = find_file(Path(file))
        with orchestrator.database.write() as transaction:
            project, pipeline = register_in(
                transaction, "default", found, by="bench", at=time.time(), guard=orchestrator.store.guard
            )
        identity = Identity(
            pipeline=pipeline.name,
            pipeline_id=pipeline.id,
            project=project.name,
            project_id=project.guid,
            requested_by=current_user(),
        )
        plan = compile_file(found, Given(), catalogue=task_catalogue(), identity=identity)
        new = NewRun(
            plan=plan, project=project, pipeline=pipeline, source=found.source, requested_by=identity.requested_by
        )
        made: list[int] = []
        while len(made) < count:
            with orchestrator.database.write() as transaction:
                made += [create_in(orchestrator, transaction, new).id for _ in range(min(BATCH, count - len(made)))]
        waiting = sum(bool(one.advanced and one.advanced.asked) for one in advance_all(orchestrator, made))
    print(json.dumps({"at": time.time(), "waiting": waiting}))
    return 0


def _look(*, stay: bool) -> int:
    """Looks after the runs as a server does: advances all that are not over, and waits."""
    from sluice.cli.main import collect_rarely
    from sluice.cli.session import opened_orchestrator
    from sluice.runs.advancing import advance_all
    from sluice.runs.driver import POLL_SECONDS

    collect_rarely()
    with opened_orchestrator() as orchestrator:
        found = ready = 0
        for moved in advance_all(orchestrator):
            assert moved.error is None, moved.error
            found += 1
            ready += bool(moved.advanced and moved.advanced.ready)
            if stay and found == 1:
                print("begun", flush=True)
        at, cpu = time.time(), time.process_time()
        changes = orchestrator.database.changes()
        end = time.monotonic() + IDLE_SECONDS
        while time.monotonic() < end:
            time.sleep(POLL_SECONDS)
            changes.happened()
        idle = (time.process_time() - cpu) / IDLE_SECONDS
        changes.close()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    rss = pages * os.sysconf("SC_PAGE_SIZE")
    print(json.dumps({"at": at, "found": found, "ready": ready, "rss": rss, "cpu": cpu, "idle": idle}))
    return 0


def _permit(run: str) -> int:
    """Permits what a run waits for, and tells when that was stored."""
    from sluice.cli.session import decisions_of, opened_orchestrator

    with opened_orchestrator() as orchestrator:
        decisions_of(orchestrator).permit(int(run))
        print(time.time())
    return 0


if __name__ == "__main__":
    sys.exit(main())
