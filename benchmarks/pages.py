"""The log of a million lines, and five thousand who watch: `python benchmarks/pages.py` (needs nothing but Sluice).

The log is asked for as the page asks: its last 500 lines, from a server that has not seen it yet; the floor is to read
the file once. Watchers hold a stream of server-sent events each, in another process; memory is the server's, before
they come, when all are there, after they idled, and after a change was told to all of them (G14).
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from measure import Goal, verdict_of

SLUICE = [sys.executable, "-m", "sluice"]
LINES = 1_000_000
WATCHERS = int(os.environ.get("SLUICE_BENCH_WATCHERS", "5000"))
IDLE_SECONDS = 30
ROUNDS = 9
STAMP = "2026-11-25T00:00:00.0000000Z "
PIPELINE = "steps:\n- checkout: none\n- script: echo small\n  displayName: Speak\n"
WAITS = """
jobs:
- deployment: Web
  environment: production
  strategy: {runOnce: {deploy: {steps: [{script: echo deployed}]}}}
"""


def main() -> int:
    """Everything in a state folder of its own; status 1 when a goal at "must" is missed."""
    limit = WATCHERS + 500
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, max(limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1])))
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        work = Path(folder)
        os.environ["SLUICE_HOME"] = str(work / "home")
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        (work / "azure-pipelines.yml").write_text(PIPELINE)
        os.chdir(work)
        _sluice("environment", "create", "production")
        _sluice("run")
        (work / "azure-pipelines.yml").write_text(WAITS)
        subprocess.run([*SLUICE, "run", "--non-interactive"], check=False, capture_output=True)
        token = _sluice("token", "create", "bench", "--full-access").split()[-1]
        with _served() as (port, pid):
            met = _log(work, port, token)
            return 0 if met and _watchers(port, pid, token) else 1


def _sluice(*arguments: str) -> str:
    return subprocess.run([*SLUICE, *arguments], check=True, capture_output=True, text=True).stdout


@contextlib.contextmanager
def _served() -> Iterator[tuple[int, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen([*SLUICE, "serve", "--port", str(port)], stdout=subprocess.PIPE, text=True)
    try:
        for line in server.stdout:
            if "once=" in line:
                break
        yield port, server.pid
    finally:
        server.terminate()
        server.wait(30)


def _get(port: int, path: str, token: str) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status == 200, body[:300]
    return body


def _log(work: Path, port: int, token: str) -> bool:
    page = _get(port, "/local/default/_build/results?buildId=1", token).decode()
    step = re.search(r'data-step="([0-9a-f-]{36})"', page)[1]
    path = work / "home" / "logs" / "1" / f"{step}.log"
    text = "".join(f"{STAMP}line {number} of a build that says something at every turn\n" for number in range(LINES))
    query = urlencode({"buildId": 1, "step": step, "from": 0, "count": 500})
    times, floors, pages = [], [], []
    for _ in range(ROUNDS):
        fresh = path.with_suffix(".new")  # another file: what the server knows of the log begins anew
        fresh.write_text(text)
        fresh.replace(path)
        begun = time.perf_counter()
        found = json.loads(_get(port, f"/local/default/_build/log?{query}", token))
        times.append(time.perf_counter() - begun)
        assert found["total"] == LINES, found["total"]
        begun = time.perf_counter()
        with path.open("rb") as file:
            while file.read(1 << 20):
                pass
        floors.append(time.perf_counter() - begun)
        begun = time.perf_counter()
        _get(port, f"/local/default/_build/results?buildId=1&s={step}", token)
        pages.append(time.perf_counter() - begun)
    goal = Goal(name="log", what="a log of 1,000,000 lines opens at its end", must=300, moonshot=150)
    mine = statistics.median(times) * 1000
    verdict = verdict_of(met=mine <= goal.must, best=mine <= goal.moonshot)
    print(
        f"{goal.name:4} {goal.what:42} {mine:8.1f} ms  (must {goal.must:g}, moonshot {goal.moonshot:g}): {verdict}"
        f"  reading the file {statistics.median(floors) * 1000:.1f} ms, once known its page {statistics.median(pages) * 1000:.1f} ms"
    )
    begun = time.perf_counter()
    hits = json.loads(
        _get(
            port,
            f"/local/default/_build/log/find?{urlencode({'buildId': 1, 'step': step, 'text': 'line 999999 '})}",
            token,
        )
    )
    print(f"     a text is found in it in {(time.perf_counter() - begun) * 1000:.0f} ms ({hits['lines']})")
    return mine <= goal.must


def _watchers(port: int, pid: int, token: str) -> bool:
    return asyncio.run(_watch(port, pid, token))


async def _watch(port: int, pid: int, token: str) -> bool:
    before = _memory(pid)
    request = (
        f"GET /local/default/_build/live?buildId=2 HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Authorization: Bearer {token}\r\n\r\n"
    ).encode()
    seen: list[float] = []
    all_told = asyncio.Event()
    waiting = asyncio.Semaphore(100)

    async def one() -> None:
        async with waiting:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            await reader.readuntil(b"event: run")
        opened.append(writer)
        while True:
            await reader.readuntil(b"event: run")
            seen.append(time.perf_counter())
            if len(seen) == WATCHERS:
                all_told.set()

    opened: list[asyncio.StreamWriter] = []
    begun = time.perf_counter()
    tasks = [asyncio.create_task(one()) for _ in range(WATCHERS)]
    while len(opened) < WATCHERS:
        await asyncio.sleep(0.1)
        assert time.perf_counter() - begun < 300, f"only {len(opened)} are connected"
        if failed := [task for task in tasks if task.done()]:
            failed[0].result()
    connected = time.perf_counter() - begun
    there = _memory(pid)
    processor = _processor(pid)
    await asyncio.sleep(IDLE_SECONDS)
    idle, used = _memory(pid), (_processor(pid) - processor) / IDLE_SECONDS
    begun = time.perf_counter()
    await asyncio.to_thread(_sluice, "runs", "cancel", "2")
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(all_told.wait(), 60)
    late = sorted(at - begun for at in seen)[:WATCHERS]
    after = _memory(pid)
    for task in tasks:
        task.cancel()
    grown = (after - there) / there
    met = len(seen) >= WATCHERS and grown < 0.1
    print(
        f"G14  {WATCHERS} idle watchers on one process: {'must' if met else 'MISSED'}  all there in {connected:.1f} s;"
        f" memory {before:.0f} MB before, {there:.0f} MB with all ({(there - before) * 1000 / WATCHERS:.0f} kB each),"
        f" {idle:.0f} MB after {IDLE_SECONDS} s, {after:.0f} MB after a change was told to all;"
        f" idle they cost {used * 100:.0f} % of a processor; {len(seen)} were told, the last {late[-1] if late else 0:.1f} s after the change began"
    )
    return met


def _memory(pid: int) -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", text)[1]) / 1000


def _processor(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
