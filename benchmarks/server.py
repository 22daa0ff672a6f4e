"""The server over real sockets, with 10,000 connections and 100,000 runs: `python benchmarks/server.py`.

G13 is to get a connection by name, authenticated, at 60 % at least of the throughput that an empty route of the same server
has; beside it, how soon the first byte of the lists comes (goal: 100 ms).
"""

from __future__ import annotations

import base64
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from measure import Goal, verdict_of

from sluice.connections.connection import Draft
from sluice.connections.guard import Unrestricted
from sluice.identity.administration import Administration
from sluice.runs import pipelines, starting
from sluice.runs.compiling import find_file
from sluice.secret import Secret
from sluice.server.settings import ServerSettings
from sluice.server.state import ServerState
from sluice.storage import runs
from sluice.storage.home import Home

CONNECTIONS = 10_000
RUNS = 100_000
SECONDS = 4.0
CLIENTS = 4
ROUNDS = 5
SHARE = 0.6
EMPTY = "/empty"
BY_NAME = "/local/default/_apis/serviceendpoint/endpoints?endpointNames=connection-05000"
FIRST_BYTE = Goal(name="first byte", what="of a list", must=100.0, moonshot=25.0)


def main() -> int:
    """Everything in a state folder of its own; status 1 when a goal is missed."""
    if sys.argv[1:2] == ["serve"]:
        return _serve(Home(Path(sys.argv[2])), int(sys.argv[3]))
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder:
        home = Home(Path(folder) / "home")
        token = _fill(home)
        port = _free_port()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        server = subprocess.Popen([sys.executable, __file__, "serve", str(home.root), str(port)], env=environment)
        try:
            client = _Client(port, token)
            client.wait()
            return 0 if all([_throughput(client), *_first_bytes(client)]) else 1
        finally:
            server.terminate()
            server.wait()


class _Client:
    def __init__(self, port: int, token: str) -> None:
        self._port = port
        credential = base64.b64encode(f":{token}".encode()).decode()
        self._headers = {"Authorization": f"Basic {credential}"}

    def wait(self) -> None:
        end = time.monotonic() + 60
        while True:
            try:
                self.first_byte(EMPTY)
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def first_byte(self, path: str) -> float:
        """Seconds until the first byte of the answer's body."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port)
        begun = time.perf_counter()
        connection.request("GET", path, headers=self._headers)
        answer = connection.getresponse()
        answer.read(1)
        passed = time.perf_counter() - begun
        answer.read()
        connection.close()
        return passed

    def rate(self, path: str) -> float:
        """Answers in a second, to several clients at once."""
        counts = [0] * CLIENTS
        end = time.perf_counter() + SECONDS

        def ask(number: int) -> None:
            connection = http.client.HTTPConnection("127.0.0.1", self._port)
            while time.perf_counter() < end:
                connection.request("GET", path, headers=self._headers)
                answer = connection.getresponse()
                answer.read()
                counts[number] += answer.status == 200
            connection.close()

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / SECONDS


def _throughput(client: _Client) -> bool:
    client.rate(EMPTY), client.rate(BY_NAME)  # warm
    rounds = [(client.rate(EMPTY), client.rate(BY_NAME)) for _ in range(ROUNDS)]
    share = statistics.median(named / empty for empty, named in rounds)
    empty, named = (statistics.median(column) for column in zip(*rounds, strict=True))
    met = share >= SHARE
    verdict = verdict_of(met=met, best=share >= 1.0)
    print(f"G13  by name {named:,.0f}/s, empty route {empty:,.0f}/s: {share:.0%} (goal {SHARE:.0%})  {verdict}")
    return met


def _first_bytes(client: _Client) -> list[bool]:
    lists = {
        f"list of {CONNECTIONS:,} connections": "/local/default/_apis/serviceendpoint/endpoints",
        f"builds of {RUNS:,} runs": "/local/default/_apis/build/builds",
        f"runs of a pipeline of {RUNS:,}": "/local/default/_apis/pipelines/1/runs",
    }
    met = []
    for name, path in lists.items():
        client.first_byte(path)
        milliseconds = 1000 * statistics.median(client.first_byte(path) for _ in range(ROUNDS))
        met.append(milliseconds <= FIRST_BYTE.must)
        verdict = verdict_of(met=met[-1], best=milliseconds <= FIRST_BYTE.moonshot)
        print(f"     first byte, {name}: {milliseconds:.1f} ms (goal {FIRST_BYTE.must:g} ms)  {verdict}")
    return met


def _serve(home: Home, port: int) -> int:
    import uvicorn

    from sluice.server.app import create_app

    state = ServerState.open(ServerSettings(port=port), home)
    app = create_app(state)
    inner = app._app._app  # type: ignore[attr-defined]  # noqa: SLF001  # the application behind what stands before it

    async def empty() -> dict[str, str]:
        return {}

    inner.add_api_route(EMPTY, empty)
    inner.router.routes.insert(0, inner.router.routes.pop())  # before the pages of projects, one of which it might name
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_level="warning")
    state.close()
    return 0


def _fill(home: Home) -> str:
    """The connections and the runs; answers an access token."""
    state = ServerState.open(ServerSettings(), home)
    drafts = [
        Draft(
            name=f"connection-{number:05d}",
            type="generic",
            scheme="UsernamePassword",
            url="https://depot.example",
            values={"username": "ada"},
            secrets={"password": Secret(f"secret of {number}")},
        )
        for number in range(CONNECTIONS)
    ]
    with state.database.write() as transaction:
        state.store().create_in(transaction, "default", drafts, by="bench")
        made = Administration(Unrestricted("bench")).create_token(
            transaction, "", "bench", ["app_token"], days=1, at=state.clock()
        )
    file = home.root / "pipeline.yml"
    file.write_text("steps:\n- script: echo hello\n")
    project, pipeline = pipelines.register(state.database, "default", find_file(file), by="bench", at=state.clock())
    first = starting.start(state.orchestrator(state.store()), project, pipeline, starting.Asked(), by="bench")
    with state.database.write() as transaction:
        runs.change(transaction, first.id, state="completed", result="Succeeded", finished_at=state.clock())
        plan = runs.plan(transaction, first.id)
        for number in range(2, RUNS + 1):
            run_id = runs.add(
                transaction,
                project_id=project.id,
                pipeline_id=pipeline.id,
                requested_by="bench",
                options={},
                at=state.clock(),
            )
            runs.set_plan(transaction, run_id, name=f"20260101.{number}", plan=plan, options=first.options)
            runs.change(transaction, run_id, state="completed", result="Succeeded", finished_at=state.clock())
    state.close()
    return made[1].reveal()


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    sys.exit(main())
