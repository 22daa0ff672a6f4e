"""The step that nobody writes: it starts the containers of its job."""

from __future__ import annotations

from sluice.runtime.handler_thread import HandlerStuckError, run_in_time
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.step_scope import StepScope


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Start them; a cancellation does not wait for an engine that does not answer."""
    containers = scope.job.containers
    if containers is None:
        scope.say("This job has no container.")
        return
    try:
        run_in_time(lambda: containers.start(scope, inputs.opened), scope.cancellation)
    except HandlerStuckError:
        scope.issue("warning", "The Docker engine did not answer in time.")
