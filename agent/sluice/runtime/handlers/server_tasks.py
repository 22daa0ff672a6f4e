"""The built-in tasks of agentless jobs that wait: for a time, or for a person."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.runtime.handlers.native import NativeTask, later

_DOCS = "https://learn.microsoft.com/azure/devops/pipelines/tasks/reference"

TASKS: Mapping[str, NativeTask] = {
    "delay@1": NativeTask(
        label="Delay",
        description="Delay further execution of a workflow by a fixed time",
        version="1",
        help=f"{_DOCS}/delay-v1",
        run=later("waiting", "run_delay"),
    ),
    **{
        f"manualvalidation@{version}": NativeTask(
            label="Manual validation",
            description="Pause a pipeline run to wait for manual interaction",
            version=version,
            help=f"{_DOCS}/manual-validation-v{version}",
            run=later("waiting", "run_manual_validation"),
        )
        for version in ("0", "1")
    },
}
"""By casefolded `Name@Major`. Carried out again they change nothing: a job that was cut short in one goes on with it."""
