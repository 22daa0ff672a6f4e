"""Which tasks run without an agent."""

from __future__ import annotations

from sluice.language.agentless import _SERVER_ONLY, AGENTLESS
from sluice.language.tasks import TaskCatalogue


def test_the_tasks_that_need_no_agent_are_those_of_the_catalogue() -> None:
    catalogue = TaskCatalogue()
    known = [task for task in map(catalogue.find_own, catalogue.references()) if task is not None]
    assert {task.name for task in known if "Server" in task.runs_on} == _SERVER_ONLY
    assert {task.reference for task in known} >= AGENTLESS
