"""Handlers of built-in tasks that need no package: scripts, checkout, files, tools, artifacts and caches."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.runtime.handlers import bash, checkout, file_tasks, keeping_tasks, powershell, server_tasks
from sluice.runtime.handlers.native import NativeTask, later

_DOCS = "https://learn.microsoft.com/azure/devops/pipelines/tasks/reference"

CHECKOUT_ID = "6d15af64-176c-496d-b583-fd2ae21d4df4"

_CHECKOUT = NativeTask(
    label="Get sources",
    description="Get sources from the repository of the run.",
    version="1.0.0",
    help="https://learn.microsoft.com/azure/devops/pipelines/yaml-schema/steps-checkout",
    run=checkout.run,
    opens_connections=True,
)

NATIVE: Mapping[str, NativeTask] = {
    "cmdline@2": NativeTask(
        label="Command line",
        description="Run a command line script using Bash on Linux and macOS",
        version="2",
        help=f"{_DOCS}/cmd-line-v2",
        run=bash.run_command_line,
        contained=True,
    ),
    "bash@3": NativeTask(
        label="Bash",
        description="Run a Bash script on macOS, Linux, or Windows",
        version="3",
        help=f"{_DOCS}/bash-v3",
        run=bash.run_bash,
        contained=True,
    ),
    "powershell@2": NativeTask(
        label="PowerShell",
        description="Run a PowerShell script on Linux, macOS, or Windows",
        version="2",
        help=f"{_DOCS}/powershell-v2",
        run=powershell.run,
        contained=True,
    ),
    "checkout@1": _CHECKOUT,
    f"{CHECKOUT_ID}@1": _CHECKOUT,
    "initializecontainers@1": NativeTask(
        label="Initialize containers",
        description="Start the containers of the job.",
        version="1.0.0",
        help="https://learn.microsoft.com/azure/devops/pipelines/process/container-phases",
        run=later("containers"),
        opens_connections=True,
    ),
    **file_tasks.TASKS,
    **server_tasks.TASKS,
    **keeping_tasks.TASKS,
}
"""By casefolded `Name@Major`."""


def find_native(reference: str) -> NativeTask | None:
    """The built-in task that a reference means; minor versions don't matter."""
    name, _, version = reference.casefold().partition("@")
    return NATIVE.get(f"{name}@{version.partition('.')[0]}")
