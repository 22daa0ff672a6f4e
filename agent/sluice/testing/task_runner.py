"""Runs a task handler in a test as a job would: the same `TaskRun`, the same masking, no pipeline and no database."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import field
from pathlib import Path

from sluice.errors import CanceledError, SluiceError
from sluice.hooks.connection import Connection
from sluice.hooks.declaration import Task
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.masking import Masker
from sluice.runtime.request import Result
from sluice.runtime.step_log import StepLog
from sluice.runtime.task_context import HandlerRun
from sluice.secret import Secret
from sluice.values import dataclass

Connections = Mapping[str, Connection | Sequence[Connection]]


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue that the task raised; `type` is `error` or `warning`."""

    type: str
    message: str


@dataclass(frozen=True, slots=True)
class PublishedResults:
    """Results of tests that the task published; `files` are names, since files may be gone by now."""

    runner: str
    title: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOutcome:
    """What a task did, as a person and the steps that follow would see it: secrets in texts are masked.

    `message` says why it failed or was canceled, and is then the last of `issues` too. `progress` holds every report
    as percent and operation; `variables` and `outputs` what it set, `restored` the files that a job puts back when it
    ends, `test_results` what it published.
    """

    result: Result
    message: str = ""
    log: str = ""
    issues: tuple[Issue, ...] = ()
    progress: tuple[tuple[int, str], ...] = ()
    variables: Mapping[str, str | Secret] = field(default_factory=dict)
    outputs: Mapping[str, str | Secret] = field(default_factory=dict)
    restored: tuple[Path, ...] = ()
    test_results: tuple[PublishedResults, ...] = ()

    @property
    def lines(self) -> list[str]:
        """The log, line by line."""
        return self.log.splitlines()

    def messages(self, type: str) -> list[str]:  # noqa: A002  # the field's word
        """The messages of the issues of that type."""
        return [issue.message for issue in self.issues if issue.type == type]

    def shows(self, secret: Secret) -> bool:
        """Whether the secret is to be read in what the task said, or in an output variable that is not secret."""
        told = [self.log, self.message, *(issue.message for issue in self.issues), *(text for _, text in self.progress)]
        return shown_in("\n".join([*told, *(one for one in self.outputs.values() if isinstance(one, str))]), secret)


def shown_in(text: str, secret: Secret) -> bool:
    """Whether a text shows a secret, in any of the spellings that logs mask."""
    masker = Masker()
    masker.add(secret.reveal())
    return masker.mask_text(text) != text


def run_task(
    task: Task | str,
    *,
    inputs: Mapping[str, str] | None = None,
    connections: Connections | None = None,
    sources: Path | None = None,
    environment: Mapping[str, str] | None = None,
    variables: Mapping[str, str] | None = None,
    secrets: Iterable[Secret] = (),
    cancellation: Cancellation | None = None,
    tell: Callable[[str], None] | None = None,
) -> TaskOutcome:
    """Run a task and answer what it did.

    `task` is a declared task, or the reference (`SSH@0`) of one that an installed plugin offers. Inputs and
    `connections` go by the names of the task's inputs; inputs left out get their defaults. `secrets` are masked beside
    those of the connections. `tell` is called with every line of the log as it is written. A `SluiceError` of the task
    is its failure; any other exception is a defect and passes through.
    """
    declared = _installed_task(task) if isinstance(task, str) else task
    opened = {name: _several(given) for name, given in (connections or {}).items()}
    masker = Masker()
    for secret in (*secrets, *(one for given in opened.values() for each in given for one in each.secrets())):
        masker.add(secret.reveal())
    output = RecordedOutput(masker, tell)
    with ExitStack() as stack:
        temp = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-task-")))
        run = HandlerRun(
            task=declared.reference,
            sources=sources if sources is not None else temp,
            temp=temp,
            output=output,
            inputs=_with_defaults(declared, inputs or {}, opened),
            environment=environment or {},
            variables=variables or {},
            opened=opened,
            cancellation=cancellation or Cancellation(),
        )
        result, message = _result(declared, run)
    return output.outcome(result, message)


class RecordedOutput:
    """Where the task's voice goes: a step's log, masked, in memory."""

    def __init__(self, masker: Masker, tell: Callable[[str], None] | None = None) -> None:
        self._masker = masker
        self._tell = tell
        self._lock = threading.RLock()
        self._log = StepLog(masker, self._append)
        self._text: list[str] = []
        self._line = ""
        self._issues: list[Issue] = []
        self._progress: list[tuple[int, str]] = []
        self._variables: dict[str, str | Secret] = {}
        self._outputs: dict[str, str | Secret] = {}
        self._restored: list[Path] = []
        self._results: list[PublishedResults] = []

    def write(self, text: bytes) -> None:
        """Write whole lines."""
        self._log.write(text)

    def stream(self) -> Callable[[bytes], None]:
        """A writer for output in pieces; it takes lines as data, never as commands."""
        stream = self._log.stream()

        def take(piece: bytes) -> None:
            if piece:
                stream.feed(piece)
            else:
                stream.close()

        return take

    def commands(self) -> Callable[[bytes], None]:
        """A writer for the output of a script; here its logging commands are shown, a job carries them out."""
        return self.stream()

    def issue(self, type: str, message: str) -> None:  # noqa: A002  # the field's word
        """Add an issue, and show it in the log as the agent does."""
        with self._lock:
            self._issues.append(Issue(type, self._masker.mask_text(message)))
        self._log.write("\n".join(f"##[{type}]{line}" for line in message.splitlines() or [""]))

    def progress(self, percent: int, operation: str) -> None:
        """Note a report of progress."""
        with self._lock:
            self._progress.append((percent, self._masker.mask_text(operation)))

    def set_variable(self, name: str, value: str | Secret, *, output: bool) -> None:
        """Note a variable; a secret one is masked from now on."""
        if isinstance(value, Secret):
            self._masker.add(value.reveal(), name)
        with self._lock:
            (self._outputs if output else self._variables)[name] = value

    def mask(self, secret: Secret) -> None:
        """Mask it from now on."""
        self._masker.add(secret.reveal())

    def publish_results(self, runner: str, files: Sequence[Path], title: str) -> None:
        """Note what the run would be given."""
        with self._lock:
            self._results.append(PublishedResults(runner, title, tuple(file.name for file in files)))

    def restore_at_end(self, path: Path) -> None:
        """Note a file that the job would put back."""
        with self._lock:
            self._restored.append(path)

    def outcome(self, result: Result, message: str) -> TaskOutcome:
        """Everything that was recorded."""
        if message:
            self.issue("error", message)
        with self._lock:
            return TaskOutcome(
                result=result,
                message=self._masker.mask_text(message),
                log="".join(self._text),
                issues=tuple(self._issues),
                progress=tuple(self._progress),
                variables=dict(self._variables),
                outputs=dict(self._outputs),
                restored=tuple(self._restored),
                test_results=tuple(self._results),
            )

    def _append(self, masked: bytes, unfinished: bool) -> None:  # what a step's log is told
        text = masked.decode("utf-8", "replace")
        with self._lock:
            self._text.append(text)
            *lines, self._line = (self._line + text).split("\n")
        if self._tell is not None:
            for line in lines:
                self._tell(line)


def _installed_task(reference: str) -> Task:
    from sluice.hooks.manager import installed

    try:
        return installed().tasks[reference.casefold()]
    except KeyError:
        raise LookupError(f"no installed plugin offers the task {reference}") from None


def _several(given: Connection | Sequence[Connection]) -> Sequence[Connection]:
    return (given,) if isinstance(given, Connection) else tuple(given)


def _with_defaults(
    task: Task, inputs: Mapping[str, str], opened: Mapping[str, Sequence[Connection]]
) -> Mapping[str, str]:
    """The inputs in the task's own spelling, with defaults and the names of the connections."""
    from sluice.language.tasks import TaskCatalogue

    definition = TaskCatalogue((task,)).find(task.reference)
    if definition is None:
        return inputs
    values = {one.name: one.default for one in definition.inputs}
    given = dict(inputs) | {name: ",".join(one.name for one in several) for name, several in opened.items()}
    for name, value in given.items():
        known = definition.input(name)
        if known is None and not definition.open_inputs:
            raise LookupError(f"the task {task.reference} has no input '{name}'")
        values[known.name if known else name] = value
    return values


def _result(task: Task, run: HandlerRun) -> tuple[Result, str]:
    try:
        task.run(run)
    except CanceledError as error:
        return Result.CANCELED, str(error)
    except SluiceError as error:
        return Result.FAILED, str(error)
    return Result.SUCCEEDED, ""
