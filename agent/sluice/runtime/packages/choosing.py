"""Which of a task's handlers runs: by platform and priority, as the agent chooses."""

from __future__ import annotations

from sluice.errors import TaskFailedError
from sluice.runtime.packages.manifest import HandlerSpec, TaskManifest
from sluice.runtime.request import Execution

NODE = ("node24", "node20_1", "node16", "node10", "node")
"""Handlers that run in Node, newest first; whichever Node is found runs all of them."""

POWERSHELL = "powershell3"
PROCESS = "process"
PLUGIN = "agentplugin"

_PRIORITY = (*NODE, POWERSHELL, PROCESS)
_UNABLE = (
    "The current operating system is not capable of running this task. That typically means the task was written "
    "for Windows only. For example, written for Windows Desktop PowerShell."
)


def choose_handler(manifest: TaskManifest, execution: Execution, *, windows: bool = False) -> HandlerSpec:
    """The handler to run; raises `TaskFailedError` when none can be.

    Beyond what the agent does, a task without a Node handler may run in PowerShell or as a plain process off Windows
    too, where it is not pinned to Windows.
    """
    known = [one for one in manifest.executions.get(execution, ()) if one.kind.lower() in _PRIORITY and one.target]
    able = [one for one in known if windows or not _is_for_windows(one) or one.kind.lower() in NODE]
    if able:
        return min(able, key=lambda one: (not _is_preferred(one, windows), _PRIORITY.index(one.kind.lower())))
    kinds = [one.kind for one in manifest.executions.get(execution, ())]
    if kinds and all(kind.lower() == PLUGIN for kind in kinds):
        raise TaskFailedError(
            f"the task '{manifest.name}' has no code of its own",
            why="its package only names a built-in plugin of the Azure Pipelines agent",
            do="see 'sluice task list' for the tasks that Sluice carries out itself",
        )
    raise TaskFailedError(_UNABLE, why=f"it has handlers for {', '.join(kinds)}" if kinds else "it has no handler")


def _is_preferred(handler: HandlerSpec, windows: bool) -> bool:
    return windows and _is_for_windows(handler)


def _is_for_windows(handler: HandlerSpec) -> bool:
    return any(platform.casefold() == "windows" for platform in handler.platforms)
