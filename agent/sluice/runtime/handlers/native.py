"""What the runtime knows of a built-in task."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.step_scope import StepScope
from sluice.values import dataclass

Run = Callable[[StepScope, StepInputs], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeTask:
    """A built-in task: what its banner says, and what it does.

    One that is `contained` starts its processes where the step's `target` says; others work on the host.
    """

    label: str
    description: str
    version: str
    help: str
    run: Run
    opens_connections: bool = False
    contained: bool = False


def later(module: str, function: str = "run") -> Run:
    """The function of a module beside this one, which is imported when the task runs for the first time."""

    def run(scope: StepScope, inputs: StepInputs) -> None:
        carry_out: Run = getattr(import_module(f"sluice.runtime.handlers.{module}"), function)
        carry_out(scope, inputs)

    return run
