"""What a running job knows and tells: its variables, its result so far, its secrets, and the way to its events."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sluice.runtime.cancellation import Deadline
from sluice.runtime.events import Emit
from sluice.runtime.keeping import Keeper
from sluice.runtime.masking import Masker
from sluice.runtime.request import JobProgress, JobRequest, JobVariable, Result
from sluice.runtime.results import merge
from sluice.runtime.variables import JobVariables
from sluice.runtime.workspace import Workspace
from sluice.secret import Secret

if TYPE_CHECKING:
    from sluice.runtime.containers.job_containers import JobContainers

STATUS = "Agent.JobStatus"


class JobState:
    """The state that steps read and change, and that `progress` turns into what a later process can go on from."""

    def __init__(
        self,
        request: JobRequest,
        emit: Emit,
        check: Callable[[], None],
        workspace: Workspace,
        masker: Masker,
        environ: Mapping[str, str],
    ) -> None:
        self.request = request
        self.emit = emit
        self.check = check
        """Raises when events cannot be told any more."""
        self.workspace = workspace
        self.masker = masker
        self.environ = environ
        self.lock = threading.RLock()
        progress = request.progress or JobProgress()
        self.outputs: dict[str, str | Secret] = dict(progress.outputs)
        self.prepended = list(progress.prepended_paths)
        self.result = progress.result
        self.task_variables = {step: dict(values) for step, values in progress.task_variables.items()}
        """What the executions of a step keep for each other, by the step's name."""
        self.token: Secret | None = None
        """What tasks show to the server that runs the pipeline, once one of them has needed it."""
        self.clock = Deadline(0, _nothing, used=progress.used_seconds)
        """The job's own time; the one with its limit, once the job runs."""
        self.keeper: Keeper | None = None
        """Keeps what the job leaves behind; None where nobody does."""
        self.tags: set[str] = set()
        """The tags that steps have given the run, in lower case."""
        self.left_behind: Counter[str] = Counter()
        """How much of what is bounded the steps have asked to keep, by what it is."""
        self.containers: JobContainers | None = None
        """Those that the job has, started or not."""
        self.canceled = False
        self.reason = ""
        """Why the job was canceled, in a person's words."""
        self.variables = JobVariables(progress.variables or request.variables, masker)
        self.named_short: set[str] = set()
        self.lent: set[str] = set()
        """Secrets of connections that no step has told to be secret: they stay with the job while its files do."""
        for name, secret in progress.masked:
            masker.add(secret.reveal(), name)
        for values in self.task_variables.values():
            for name, value in values.items():
                if isinstance(value, Secret):
                    masker.add(value.reveal(), name)

    @property
    def status(self) -> Result:
        """`Agent.JobStatus`: the result so far, or Canceled."""
        return Result.CANCELED if self.canceled else self.result

    def define(self, variables: Mapping[str, str]) -> None:
        """Set variables that this machine knows."""
        for name, value in variables.items():
            self.variables.set(name, value)

    def update_status(self) -> None:
        """Let variables and environments see the status."""
        self.variables.set(STATUS, self.status.value)

    def merge(self, step: Result) -> None:
        """Take a finished step's result in: only what went wrong changes the job's."""
        if step in {Result.SUCCEEDED_WITH_ISSUES, Result.FAILED}:
            self.result = merge(self.result, step)

    def set_output(self, step: str, name: str, value: str | Secret) -> None:
        """An output variable is `step.name` for later steps, and read-only there."""
        self.variables.put(JobVariable(name=f"{step}.{name}", value=value, readonly=True))
        self.outputs[f"{step}.{name}"] = value

    def progress(self, next_step: int, *, suspended: bool = False) -> JobProgress:
        """How far the job has come. Of connections it holds secrets only when the job is suspended and its files stay.

        Otherwise a connection's secret is nowhere but in the connection, unless a step has made a variable of it.
        """
        known = self.masker.known.items()
        return JobProgress(
            next_step=next_step,
            variables=self.variables.snapshot(),
            outputs=dict(self.outputs),
            prepended_paths=tuple(self.prepended),
            result=self.result,
            task_variables={step: dict(values) for step, values in self.task_variables.items()},
            used_seconds=self.clock.used,
            masked=tuple((name, Secret(value)) for value, name in known if suspended or value not in self.lent),
        )

    def path(self, base: str) -> str:
        """A `PATH` with what steps have prepended, newest first."""
        return ":".join((*self.prepended, base)) if self.prepended else base


def _nothing() -> None:
    """A clock without a limit has nothing to do."""
