"""The engine of the server: what is made or decided anywhere is carried out here."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from sluice.connections.guard import UNRESTRICTED
from sluice.library.environments import EnvironmentStore
from sluice.runs.decisions import Decisions
from sluice.server.driving import Engine
from sluice.server.state import ServerState
from sluice.storage import permissions, records, requests, runs
from sluice.storage.engine import Database
from sluice.storage.environments import resource_of
from sluice.storage.runs import RunRow

SECONDS = 30.0


@pytest.fixture
def engine(state: ServerState) -> Iterator[Engine]:
    made = state.engine = Engine(state)
    made.start()
    yield made
    made.stop()
    assert made.wait(SECONDS)


Made = Callable[..., int]


@pytest.fixture
def pipeline(owner: TestClient, tmp_path: Path) -> Made:
    """Makes a pipeline of a text; answers its number."""

    def make(text: str, name: str = "release") -> int:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "azure-pipelines.yml").write_text(text)
        body = {"name": name, "configuration": {"type": "yaml", "path": str(folder / "azure-pipelines.yml")}}
        answer = owner.post("/local/default/_apis/pipelines?api-version=7.1", json=body)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["id"])

    return make


def _until(state: ServerState, run_id: int, reached: Callable[[RunRow, list[requests.RequestRow]], bool]) -> RunRow:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with state.database.read() as transaction:
            run = runs.get(transaction, run_id)
            waiting = requests.of_run(transaction, run_id, state="running")
        assert run is not None
        if reached(run, waiting):
            return run
        time.sleep(0.02)
    raise AssertionError(f"run {run_id} did not get there in time")


def _over(run: RunRow, _: object) -> bool:
    return run.state == "completed"


def _started(owner: TestClient, number: int) -> int:
    answer = owner.post(f"/local/default/_apis/pipelines/{number}/runs?api-version=7.1", json={})
    assert answer.status_code == 200, answer.text
    return int(answer.json()["id"])


def test_a_run_that_is_made_by_rest_is_carried_out(
    owner: TestClient, state: ServerState, engine: Engine, pipeline: Made
) -> None:
    run_id = _started(owner, pipeline("steps:\n- script: echo hello\n"))
    assert _until(state, run_id, _over).result == "Succeeded"
    logs = owner.get(f"/local/default/_apis/build/builds/{run_id}/logs").json()
    texts = [
        owner.get(f"/local/default/_apis/build/builds/{run_id}/logs/{log['id']}", headers={"accept": "text/plain"}).text
        for log in logs["value"]
    ]
    assert any("hello" in text for text in texts)
    timeline = owner.get(f"/local/default/_apis/build/builds/{run_id}/Timeline").json()
    assert {"Stage", "Phase", "Job", "Task"} <= {one["type"] for one in timeline["records"]}


DEPLOYMENT = """
jobs:
- deployment: Web
  environment: production
  strategy:
    runOnce:
      deploy:
        steps:
        - script: echo deployed
"""


@pytest.fixture
def waiting(owner: TestClient, state: ServerState, engine: Engine, pipeline: Made) -> int:
    """A run that waits for the environment that it deploys to: nobody has permitted its pipeline to use it."""
    number = pipeline(DEPLOYMENT)
    with state.database.write() as transaction:
        made = EnvironmentStore(UNRESTRICTED).create(transaction, "default", "production", by="root")
        assert permissions.standing(transaction, resource_of(made), number) == ()
    run_id = _started(owner, number)
    _until(state, run_id, lambda _, waits: bool(waits))
    return run_id


def test_a_run_that_waits_goes_on_once_another_process_permits_it(
    owner: TestClient, state: ServerState, engine: Engine, waiting: int
) -> None:
    build = owner.get(f"/local/default/_apis/build/builds/{waiting}").json()
    assert build["status"] == "notStarted"
    other = Database.open(state.home)
    try:
        Decisions(database=other, clock=time.time, by="somebody").permit(waiting)
    finally:
        other.close()
    assert _until(state, waiting, _over).result == "Succeeded"


def test_a_run_that_is_canceled_by_another_process_ends(state: ServerState, engine: Engine, waiting: int) -> None:
    other = Database.open(state.home)
    try:
        Decisions(database=other, clock=time.time, by="somebody").cancel(waiting)
    finally:
        other.close()
    assert _until(state, waiting, _over).result == "Canceled"


def test_a_run_that_waits_holds_no_thread(state: ServerState, engine: Engine, waiting: int) -> None:
    assert engine.wait(SECONDS)
    assert engine.driven == 0


def test_a_server_that_stops_leaves_the_waiting_and_the_next_one_goes_on(
    owner: TestClient, state: ServerState, engine: Engine, waiting: int
) -> None:
    engine.stop()
    assert engine.wait(SECONDS)
    Decisions(database=state.database, clock=time.time, by="somebody").permit(waiting)
    with state.database.read() as transaction:
        run = runs.get(transaction, waiting)
    assert run is not None
    assert run.state == "inProgress"
    second = Engine(state)
    second.start()
    assert _until(state, waiting, _over).result == "Succeeded"
    second.stop()
    assert second.wait(SECONDS)


def test_a_server_that_stops_lets_what_runs_come_to_its_end(
    owner: TestClient, state: ServerState, engine: Engine, pipeline: Made, tmp_path: Path
) -> None:
    started, go_on = tmp_path / "started", tmp_path / "go-on"
    script = f"touch {started}; while [ ! -e {go_on} ]; do sleep 0.05; done"
    run_id = _started(owner, pipeline(f"jobs:\n- job: A\n  steps:\n  - script: {script}\n- job: B\n  dependsOn: A\n"))
    _until(state, run_id, lambda *_: started.exists())
    engine.stop()
    assert not engine.wait(0.2)
    go_on.touch()
    assert engine.wait(SECONDS)
    with state.database.read() as transaction:
        run = runs.get(transaction, run_id)
        jobs = {one.ref_name: one.state for one in records.of_run(transaction, run_id, kinds=("Phase",))}
    assert run is not None
    assert (run.state, jobs["A"]) == ("inProgress", "completed")


def test_no_more_jobs_run_at_a_time_than_there_are_turns(
    owner: TestClient, state: ServerState, pipeline: Made, tmp_path: Path
) -> None:
    """Each of four runs fails when it finds another one at work."""
    state.settings = replace(state.settings, max_jobs=1)
    script = f"mkdir {tmp_path}/alone && sleep 0.1 && rmdir {tmp_path}/alone"
    number = pipeline(f"steps:\n- script: {script}\n")
    run_ids = [_started(owner, number) for _ in range(4)]
    engine = Engine(state)
    engine.start()
    assert [_until(state, run_id, _over).result for run_id in run_ids] == ["Succeeded"] * 4
    engine.stop()
    assert engine.wait(SECONDS)


def test_a_run_of_a_terminal_stays_the_terminals_until_somebody_decides_here(
    owner: TestClient, state: ServerState, engine: Engine, waiting: int, pipeline: Made
) -> None:
    with state.database.write() as transaction:
        run = runs.get(transaction, waiting)
        assert run is not None
        runs.set_options(transaction, waiting, {**run.options, "detached": False})
    Decisions(database=state.database, clock=time.time, by="somebody").permit(waiting)
    _until(state, _started(owner, pipeline("steps:\n- script: echo later\n", "later")), _over)
    with state.database.read() as transaction:
        run = runs.get(transaction, waiting)
    assert run is not None
    assert run.state == "inProgress"
    engine.take(waiting)
    assert _until(state, waiting, _over).result == "Succeeded"


def test_a_run_whose_process_died_is_taken_up(owner: TestClient, state: ServerState, pipeline: Made) -> None:
    run_id = _started(owner, pipeline("jobs:\n- job: Work\n  steps:\n  - script: echo hello\n"))
    state.orchestrator(state.store()).advance(run_id, driven=True)
    with state.database.write() as transaction:  # as whoever ran it left it
        [job] = records.of_run(transaction, run_id, kinds=("Job",))
        records.save(transaction, run_id, [replace(job, state="inProgress", started_at=time.time())])
    engine = Engine(state)
    engine.start()
    assert _until(state, run_id, _over).result in {"Succeeded", "Failed"}
    engine.stop()
    assert engine.wait(SECONDS)
