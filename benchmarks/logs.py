"""Logs of 100 MB: speed with secrets to mask, lines into pipes, memory: `python benchmarks/logs.py`.

G5 and G6 count bytes from the step's start to its log's end, masked and with a time on every line; the floor in the
same run is `cat` into a file. G7 counts and hashes the lines that come out of a pipe that is read fast, and slowly.
G9 is the most memory that the process of Sluice held, for 100 MB and for 1 GB.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import Goal, verdict_of

SLUICE = [sys.executable, "-m", "sluice"]
MEGABYTE = 1_000_000
LINES = 1_000_000
ROUNDS = 5
SLOW_SECONDS = 0.002


def main() -> int:
    """Everything in a state folder of its own; status 1 when a goal at "must" is missed."""
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        work = Path(folder)
        os.environ["SLUICE_HOME"] = str(work / "home")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        os.chdir(work)
        return 0 if all(measure(work)) else 1


def measure(work: Path) -> list[bool]:
    """G5, G6, G7 and G9."""
    _write_lines(work / "lines.txt", LINES)
    return [
        _speed(work, Goal(name="G5", what="a 100 MB log, 10 secrets", must=200, moonshot=400), 10),
        _speed(work, Goal(name="G6", what="a 100 MB log, 1,000 secrets", must=100, moonshot=200), 1000),
        _lost_lines(work),
        _memory(work),
    ]


def _write_lines(path: Path, lines: int) -> None:
    """Lines of 100 bytes, a secret in one of 10,000."""
    with path.open("w") as file:
        for number in range(lines):
            secret = _secret(number // 10_000 % 10) if number % 10_000 == 0 else "-" * 24
            file.write(
                f"{number:010d} {secret} compiled the next of many files without a word ".ljust(98, ".")[:98] + ".\n"
            )


def _secret(number: int) -> str:
    return f"benchmark-secret-{number:07d}"


def _pipeline(work: Path, secrets: int, text: str = "lines.txt") -> Path:
    known = "\n".join(f"    echo '##vso[task.setsecret]{_secret(number)}'" for number in range(secrets))
    path = work / "log.yml"
    path.write_text(
        f"steps:\n- checkout: none\n- bash: |\n{known}\n    true\n- bash: exec cat {work / text}\n  displayName: log\n"
    )
    return path


def _speed(work: Path, goal: Goal, secrets: int) -> bool:
    """Megabytes a second from the step's first to its last moment, as its timeline record has them."""
    pipeline = _pipeline(work, secrets)
    size = (work / "lines.txt").stat().st_size
    pairs = []
    for _ in range(ROUNDS):
        subprocess.run([*SLUICE, "run", str(pipeline)], check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        start = time.perf_counter()
        subprocess.run(["bash", "-c", "cat lines.txt > copy.txt"], check=True)
        pairs.append((size / MEGABYTE / _step_seconds(), size / MEGABYTE / (time.perf_counter() - start)))
    ours = statistics.median(one for one, _ in pairs)
    ratios = sorted(floor / one for one, floor in pairs)
    met = ours >= goal.must
    print(
        f"{goal.name:4} {goal.what:42} {ours:8.0f} MB/s (must {goal.must:g}, moonshot {goal.moonshot:g}): "
        f"{verdict_of(met=met, best=ours >= goal.moonshot):8}"
        f"  cat to a file {statistics.median(floor for _, floor in pairs):.0f} MB/s, "
        f"{statistics.median(ratios):.1f} times ours ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    )
    return met


def _step_seconds() -> float:
    """From the start of the newest step called log to its end, by the times that are stored."""
    with contextlib.closing(sqlite3.connect(next(Path(os.environ["SLUICE_HOME"]).rglob("*.db")))) as database:
        query = "SELECT finished_at - started_at FROM records WHERE name = 'log' ORDER BY run_id DESC LIMIT 1"
        return float(database.execute(query).fetchone()[0])


def _lost_lines(work: Path) -> bool:
    """Every line of the log comes out of a pipe, in order, whether it is read fast or slowly."""
    pipeline = _pipeline(work, 10)
    wanted = _expected(work / "lines.txt")
    lost = 0
    for pause in (0.0, SLOW_SECONDS) * 2:
        lost += _through_pipe(pipeline, pause) != wanted
    met = lost == 0
    print(
        f"{'G7':4} {'1,000,000 lines through a pipe, 4 runs':42} {lost:8} runs with lines lost: "
        f"{verdict_of(met=met, best=met)}"
    )
    return met


def _expected(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for line in file:
            masked = line
            for number in range(10):
                masked = masked.replace(_secret(number).encode(), b"***")
            digest.update(masked)
    return digest.hexdigest()


def _through_pipe(pipeline: Path, pause: float) -> str:
    """The digest of those lines of the output that are the log's."""
    digest = hashlib.sha256()
    with subprocess.Popen([*SLUICE, "run", str(pipeline)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        for number, line in enumerate(process.stdout):
            if line[:10].isdigit() and line.endswith(b".\n"):
                digest.update(line)
            if pause and number % 2000 == 0:
                time.sleep(pause)
    return digest.hexdigest()


def _memory(work: Path) -> bool:
    """The most that the process of Sluice held, for 100 MB and for ten times as much."""
    big = work / "more.txt"
    with big.open("wb") as file:
        for _ in range(10):
            file.write((work / "lines.txt").read_bytes())
    small_peak, big_peak = _peak(_pipeline(work, 10)), _peak(_pipeline(work, 10, "more.txt"))
    big.unlink()
    met = big_peak <= 150
    print(
        f"{'G9':4} {'most memory of a 100 MB log (of 1 GB)':42} {small_peak:8.0f} MiB ({big_peak:.0f} MiB) "
        f"(must 150, moonshot 80): {verdict_of(met=met, best=big_peak <= 80)}"
    )
    return met


def _peak(pipeline: Path) -> float:
    process = subprocess.Popen([*SLUICE, "run", str(pipeline)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"the run ended with {process.returncode}")
    return usage.ru_maxrss / 1024


if __name__ == "__main__":
    sys.exit(main())
