from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sluice.runs.workspaces import KEPT_SECONDS, tidy, workspace_of
from sluice.storage import pipelines, projects, runs
from sluice.storage.engine import Database
from sluice.storage.home import Home
from sluice.storage.runs import RunRow


@pytest.fixture
def stored(tmp_path: Path) -> Iterator[tuple[Database, list[RunRow], Path]]:
    """Three runs, each with a folder."""
    home = Home(tmp_path / "home")
    database = Database.open(home)
    with database.write() as transaction:
        project = projects.ensure(transaction, "default")
        pipeline = pipelines.ensure(transaction, project, name="p", source="/p.yml", by="ann", at=0.0)
        ids = [
            runs.add(
                transaction, project_id=project.id, pipeline_id=pipeline.id, requested_by="ann", options={}, at=0.0
            )
            for _ in range(3)
        ]
        found = [run for run_id in ids if (run := runs.get(transaction, run_id))]
    for run in found:
        workspace_of(home.work, run.id, "abcd-ef").mkdir(parents=True)
    yield database, found, home.work
    database.close()


def end(database: Database, run: RunRow, result: str, at: float) -> RunRow:
    with database.write() as transaction:
        runs.change(transaction, run.id, state="completed", result=result, finished_at=at)
    return replace(run, state="completed", result=result, finished_at=at)


def folders(work: Path) -> set[str]:
    return {folder.name for folder in work.iterdir()}


def test_a_succeeded_run_leaves_nothing_and_a_failed_one_can_be_looked_at(
    stored: tuple[Database, list[RunRow], Path],
) -> None:
    database, (first, second, third), work = stored
    tidy(database, work, end(database, first, "Succeeded", 10.0), now=10.0)
    tidy(database, work, end(database, second, "Failed", 20.0), now=20.0)
    assert folders(work) == {str(second.id), str(third.id)}


def test_folders_of_failed_runs_go_after_some_days_and_those_of_waiting_runs_stay(
    stored: tuple[Database, list[RunRow], Path],
) -> None:
    database, (first, second, third), work = stored
    end(database, first, "Failed", 10.0)
    (work / "_tool").mkdir()
    tidy(database, work, end(database, third, "Succeeded", 20.0), now=10.0 + KEPT_SECONDS + 1)
    assert folders(work) == {str(second.id), "_tool"}
