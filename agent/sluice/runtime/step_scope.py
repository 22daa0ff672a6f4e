"""One step while it runs: its log, its issues, its outputs, and its result so far."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from sluice.errors import CanceledError, TaskFailedError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.events import IssueRaised, LogWritten, StepProgressed
from sluice.runtime.job_state import JobState
from sluice.runtime.originals import keep_original
from sluice.runtime.place import HOST, Place
from sluice.runtime.request import JobVariable, Result, StepRequest, WaitFor
from sluice.runtime.restrictions import may_set
from sluice.runtime.results import merge
from sluice.runtime.step_log import LogStream, StepLog
from sluice.secret import Secret

MAX_TEXT = 32_768
"""So many characters of an issue's text, or of what a step says it is at, its record keeps; the log has all of it."""

KEPT_VARIABLE = "The variable '{}' is read-only: it keeps its value."
REFUSED_VARIABLE = "Setting variable '{}' has been disabled by the task or build definition."


class StepScope:
    """What handlers and logging commands act on. Its methods may be called from any thread."""

    def __init__(self, job: JobState, step: StepRequest, cancellation: Cancellation) -> None:
        self.job = job
        self.step = step
        self.cancellation = cancellation
        self.stop = cancellation.child()
        """Ends the step's process; canceled without the step being so when the task said that it is done."""
        self.log = StepLog(job.masker, self._emit_log)
        self.place: Place = HOST
        """Where the step's processes run."""
        self.result: Result | None = None
        self.message = ""
        self.waits: WaitFor | None = None
        """What the step of an agentless job waits for; set by its handler, which returns then."""
        self.done = False
        self.outputs: dict[str, str | Secret] = {}
        self.declared_outputs: frozenset[str] = frozenset()
        """Variables, in lower case, that are output variables because the task's package says so."""
        self.settable_by_task: tuple[str, ...] | None = None
        self.answered: set[str] = set()
        self._percent = 0

    @property
    def debugging(self) -> bool:
        """Whether `System.Debug` asks for more."""
        return self.job.variables.flag("System.Debug")

    def host_path(self, text: str) -> Path:
        """A path that a process of the step names, as this host calls it; a relative one starts at the sources.

        Raises `TaskFailedError` for one that only the step's container has.
        """
        root = self.job.variables.text("System.DefaultWorkingDirectory") or os.fspath(self.job.workspace.sources)
        path = os.path.join(self.place.inner(root), text)  # noqa: PTH118  # an absolute path stands for itself
        outer = self.place.outer(path)
        if outer is None:
            raise TaskFailedError(
                f"'{text}' lies in the container alone",
                why="files are taken from folders that the host has, too",
                do="put it below $(Build.ArtifactStagingDirectory), $(Build.SourcesDirectory) or $(Agent.TempDirectory)",
            )
        return Path(outer)

    def say(self, text: str) -> None:
        """Lines for the log."""
        self.log.write(text)

    def debug(self, text: str) -> None:
        """A line for the log that only a debugging run has."""
        if self.debugging:
            self.log.write(f"##[debug]{text}")

    def issue(self, kind: str, message: str, data: Mapping[str, str] | None = None) -> None:
        """An `error` or a `warning`, as an issue and in the log; the result is not touched."""
        masker = self.job.masker
        self.log.write(f"##[{kind}]{message}")
        masked = {key: _cut(masker.mask_text(value)) for key, value in (data or {}).items()}
        self.job.emit(
            IssueRaised(
                job=self.job.request.id,
                step=self.step.id,
                type=kind,
                message=_cut(masker.mask_text(message)),
                data=masked,
            )
        )

    def may_keep(self, what: str, limit: int) -> bool:
        """Whether the job may leave one more of these behind; the first one too many is a warning."""
        with self.job.lock:
            self.job.left_behind[what] += 1
            asked = self.job.left_behind[what]
        if asked == limit + 1:
            self.issue("warning", f"A job leaves at most {limit:,} {what} behind: those beyond are not kept.")
        return asked <= limit

    def complete(self, result: Result, message: str = "") -> None:
        """Merge a result in."""
        with self.job.lock:
            self.result = merge(self.result, result)
            if message:
                self.message = _cut(message)

    def fail(self, message: str) -> None:
        """An error issue, and the result with it."""
        self.issue("error", message)
        self.complete(Result.FAILED, message)

    def progress(self, percent: int, operation: str = "") -> None:
        """Tell how far the step is; it never goes down."""
        with self.job.lock:
            self._percent = percent = max(self._percent, min(100, percent))
        self.job.emit(
            StepProgressed(
                job=self.job.request.id,
                step=self.step.id,
                percent=percent,
                operation=_cut(self.job.masker.mask_text(operation)),
            )
        )

    def set_output(self, name: str, value: str | Secret) -> None:
        """Set an output variable."""
        if isinstance(value, Secret):
            self.learn(value, name)
        with self.job.lock:
            name = next((known for known in self.outputs if known.lower() == name.lower()), name)
            self.outputs[name] = value
            self.job.set_output(self.step.name, name, value)

    def seal_outputs(self) -> None:
        """Outputs that hold a secret, though the step has not said so, are kept like secret ones.

        For the job's own steps they stay the plain variables that they are. To be done when the step is over: what it
        has told to be secret by then counts.
        """
        with self.job.lock:
            for name, value in self.outputs.items():
                if isinstance(value, str) and self.job.masker.mask_text(value) != value:
                    self.outputs[name] = self.job.outputs[f"{self.step.name}.{name}"] = Secret(value)

    @property
    def task_variables(self) -> Mapping[str, str | Secret]:
        """What the executions of this step keep for each other."""
        return self.job.task_variables.get(self.step.name, {})

    def set_task_variable(self, name: str, value: str | Secret) -> None:
        """Keep a value for this execution and the later ones of the same step."""
        if isinstance(value, Secret):
            self.learn(value, name)
        with self.job.lock:
            kept = self.job.task_variables.setdefault(self.step.name, {})
            kept[next((known for known in kept if known.lower() == name.lower()), name)] = value

    def set_variable(self, variable: JobVariable) -> None:
        """Set a plain variable for the steps that follow; one that was made read-only is left, with a warning."""
        if isinstance(variable.value, Secret):
            self.learn(variable.value, variable.name)
        with self.job.lock:
            kept = self.job.variables.is_readonly(variable.name)
            if not kept:
                self.job.variables.put(variable)
        if kept:
            self.issue("warning", KEPT_VARIABLE.format(variable.name))

    def masked(self, text: str) -> str:
        """A text without the secrets in it, for whatever is kept beside the log."""
        return self.job.masker.mask_text(text)

    def learn(self, secret: Secret, name: str) -> None:
        """Mask a secret from now on; one that cannot be masked is told by name, once in a job."""
        self.job.lent.discard(secret.reveal())
        if not self.job.masker.add(secret.reveal(), name):
            self.warn_unmasked()

    def warn_unmasked(self) -> None:
        """Tell the names of secrets that are not masked, those that have not been told yet."""
        for name in self.job.masker.unmasked:
            if name not in self.job.named_short:
                self.job.named_short.add(name)
                self.issue(
                    "warning",
                    f"The secret '{name}' is too short or too common to be masked: it can be read in logs that print it.",
                )

    def _emit_log(self, text: bytes, unfinished: bool) -> None:
        self.job.emit(LogWritten(job=self.job.request.id, step=self.step.id, text=text, unfinished=unfinished))


def _cut(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."


class ScopeOutput:
    """The voice of a Python task handler: what it writes is data.

    Once closed it says nothing more: a handler that was left behind is stopped when it next speaks.
    """

    def __init__(self, scope: StepScope) -> None:
        self._scope = scope
        self._closed = False
        self._lock = threading.RLock()
        self._streams: list[LogStream] = []

    def close(self) -> None:
        """The handler has ended: what it left in its streams is written, and that is all."""
        with self._lock:
            self._closed = True
            for stream in self._streams:
                stream.close()

    def write(self, text: bytes) -> None:
        with self._open() as scope:
            scope.log.write(text)

    def stream(self) -> Callable[[bytes], None]:
        with self._open() as scope:
            return self._writer(scope.log.stream())

    def commands(self) -> Callable[[bytes], None]:
        from sluice.runtime.commands import CommandProcessor

        with self._open() as scope:
            return self._writer(scope.log.stream(CommandProcessor(scope).run))

    def _writer(self, stream: LogStream) -> Callable[[bytes], None]:
        self._streams.append(stream)

        def take(piece: bytes) -> None:
            with self._open():
                if piece:
                    stream.feed(piece)
                else:
                    stream.close()

        return take

    def issue(self, type: str, message: str) -> None:  # noqa: A002  # the field's word
        with self._open() as scope:
            scope.issue(type, message)

    def progress(self, percent: int, operation: str) -> None:
        with self._open() as scope:
            scope.progress(percent, operation)

    def set_variable(self, name: str, value: str | Secret, *, output: bool) -> None:
        with self._open() as scope:
            self._set_variable(scope, name, value, output=output)

    def mask(self, secret: Secret) -> None:
        with self._open() as scope:
            scope.learn(secret, f"of {scope.step.display_name}")

    def publish_results(self, runner: str, files: Sequence[Path], title: str) -> None:
        from sluice.runtime.testresults.publishing import Wanted, publish_results

        with self._open() as scope:
            publish_results(scope, files, Wanted(runner=runner, title=title))

    def restore_at_end(self, path: Path) -> None:
        with self._open() as scope:
            keep_original(scope.job.workspace.temp, path)

    @contextlib.contextmanager
    def _open(self) -> Iterator[StepScope]:
        with self._lock:
            if self._closed:
                raise CanceledError("the step is over")
            yield self._scope

    @staticmethod
    def _set_variable(scope: StepScope, name: str, value: str | Secret, *, output: bool) -> None:
        if not may_set(scope.step, name):
            scope.issue("warning", REFUSED_VARIABLE.format(name))
            return
        if scope.job.variables.is_predefined(f"{scope.step.name}.{name}" if output else name):
            raise TaskFailedError(f"Overwriting readonly variable '{name}' is not permitted.", where=scope.step.task)
        if output:
            scope.set_output(name, value)
        else:
            scope.set_variable(JobVariable(name=name, value=value))
