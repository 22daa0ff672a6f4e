"""Which handler runs, as the agent chooses."""

from __future__ import annotations

from typing import Any

import pytest

from sluice.errors import TaskFailedError
from sluice.runtime.packages.choosing import choose_handler
from sluice.runtime.packages.manifest import parse_manifest
from sluice.runtime.request import Execution

WINDOWS = {"target": "x", "platforms": ["windows"]}
ANY = {"target": "x"}


def _choose(handlers: dict[str, Any], *, windows: bool = False) -> str:
    values = {
        "id": "5f1f7c3e-0000-4000-8000-000000000001",
        "name": "A",
        "version": {"Major": 1},
        "execution": handlers,
    }
    return choose_handler(parse_manifest(values, where="x"), Execution.MAIN, windows=windows).kind


@pytest.mark.parametrize(
    ("handlers", "here", "on_windows"),
    [
        ({"Node": ANY, "Node10": ANY, "Node16": ANY, "Node20_1": ANY}, "Node20_1", "Node20_1"),
        ({"Node10": ANY, "Node24": ANY}, "Node24", "Node24"),
        ({"PowerShell3": ANY, "Node": ANY}, "Node", "Node"),
        ({"PowerShell3": WINDOWS, "Node": ANY}, "Node", "PowerShell3"),
        ({"Node": WINDOWS, "Node10": ANY}, "Node10", "Node"),
        ({"Process": ANY, "PowerShell3": ANY}, "PowerShell3", "PowerShell3"),
        ({"Node99": ANY, "Node16": ANY, "RM:ManualIntervention": {}}, "Node16", "Node16"),
    ],
)
def test_the_newest_node_is_chosen_unless_windows_is_preferred(
    handlers: dict[str, Any], here: str, on_windows: str
) -> None:
    assert _choose(handlers) == here
    assert _choose(handlers, windows=True) == on_windows


@pytest.mark.parametrize(
    ("handlers", "message"),
    [
        ({}, "not capable of running this task"),
        ({"PowerShell3": WINDOWS}, "not capable of running this task.*PowerShell3"),
        ({"PowerShell": ANY, "AzurePowerShell": ANY}, "not capable"),
        ({"Node": {}}, "not capable"),
        ({"AgentPlugin": {"target": "Agent.Plugins.X"}}, "no code of its own"),
    ],
)
def test_a_task_that_cannot_run_here_says_so(handlers: dict[str, Any], message: str) -> None:
    with pytest.raises(TaskFailedError, match=message):
        _choose(handlers)
