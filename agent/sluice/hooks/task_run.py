"""What a Python task handler is given: its inputs, its connections, a workspace and a voice; nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from sluice.hooks.connection import Connection
from sluice.secret import Secret


class TaskRun(Protocol):
    """One run of one task.

    A handler returns when the task succeeded, raises `TaskFailedError` when it failed, and `CanceledError` when it
    stopped because `canceled` became true. What it writes is data: never read as a logging command, always masked.
    """

    @property
    def task(self) -> str:
        """The task's reference, such as `SSH@0`."""

    @property
    def sources(self) -> Path:
        """The folder with the repository (`Build.SourcesDirectory`)."""

    @property
    def temp(self) -> Path:
        """A private folder that is removed when the job ends (`Agent.TempDirectory`)."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The step's `env:` map and the public variables, in their environment spelling."""

    def input(self, name: str) -> str:
        """The value of an input, or its default; `''` when there is none."""

    def flag(self, name: str) -> bool:
        """True only for an input whose value is `true`, ignoring case."""

    def number(self, name: str, *, minimum: int = 0) -> int:
        """A whole number; raises `TaskFailedError` naming the input when it is none, or is too small."""

    def lines(self, name: str) -> Sequence[str]:
        """The non-empty lines of a multi-line input, trimmed."""

    def required(self, name: str) -> str:
        """The value of an input that must not be empty; raises `TaskFailedError` otherwise."""

    def path(self, name: str) -> Path:
        """A `filePath` input as an absolute path; relative ones, and an empty one, start at the sources folder."""

    def files(self, root: Path, patterns: Sequence[str]) -> Sequence[Path]:
        """Files below `root` that match the patterns (`**`, `*`, `?`, `[..]`, leading `!` excludes), sorted."""

    def connection(self, name: str) -> Connection:
        """The service connection that the input names; raises `TaskFailedError` when the input is empty."""

    def connections(self, name: str) -> Sequence[Connection]:
        """The service connections of an input that takes several, in the order written."""

    def variable(self, name: str) -> str:
        """The value of a job variable, `''` when it is not set; secret ones are not given."""

    def say(self, text: str) -> None:
        """Write lines to the step's log."""

    def stream(self) -> Callable[[bytes], None]:
        """A writer for output that arrives in pieces, such as a remote command's.

        Whole lines are written as they come; `b""` ends the stream and writes what is left of the last line.
        """

    def warn(self, message: str) -> None:
        """Add a warning issue to the step."""

    def error(self, message: str) -> None:
        """Add an error issue to the step; the result changes only by raising `TaskFailedError`."""

    def progress(self, percent: int, operation: str = "") -> None:
        """Tell how far the work is, 0 to 100."""

    def set_variable(self, name: str, value: str | Secret, *, output: bool = False) -> None:
        """Set a job variable for the steps that follow; an output variable also for other jobs."""

    def mask(self, secret: Secret) -> None:
        """Mask a secret from now on, in all logs of the job: one that was made of a connection's, or came from outside.

        What a variable holds may so be read by the steps that follow, and by nobody in a log.
        """

    def restore_at_end(self, path: Path) -> None:
        """Have a file put back as it is now when the job ends, however it ends; one that is not there yet is removed.

        To be called before a file outside of `temp` is given credentials. Of several calls the first counts.
        """

    def publish_results(self, runner: str, files: Sequence[Path], *, title: str = "") -> None:
        """Make results of tests part of the run, as `PublishTestResults` does.

        `runner` is the format: `JUnit`, `NUnit`, `VSTest`, `XUnit` or `CTest`. A file that cannot be read is a warning.
        """

    def program(self, name: str, *, install: str, path: str | None = None) -> str:
        """Where a program is on the `PATH` of the step, or on `path`; raises `TaskFailedError` with the advice `install`."""

    def execute(
        self,
        arguments: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str] | None = None,
        given: bytes = b"",
        take: Callable[[bytes], None] | None = None,
        errors: Callable[[bytes], None] | None = None,
        script: bool = False,
        quiet: bool = False,
    ) -> int:
        """Run a program to its end, in a process group of its own, and answer its exit status.

        Its command line and what it writes go to the step's log as they come; `take` is shown each piece as well.
        `environment` is the whole of it, the step's where it is None. `given` is its standard input, 4096 bytes at most.
        With `errors` that is shown each piece of the standard error stream, and `take` the other's; `quiet` keeps what it
        writes out of the log. A `script` is one that the author of the pipeline wrote: only of what that writes, logging
        commands are carried out, as of a script task's.

        A cancellation reaches the whole group: SIGINT, then SIGTERM, then SIGKILL, and `CanceledError` is raised once
        nothing of the group is left. A program that ends by itself may leave others running in the background, as a
        script may; they end with the job. Raises `TaskFailedError` when it cannot be started.
        """

    def fulfils(self, criteria: str, root: Any) -> bool:
        """Whether a JSON value fulfils success criteria such as `eq(root['status'], 'ok')`.

        Raises `TaskFailedError` when they cannot be evaluated.
        """

    @property
    def canceled(self) -> bool:
        """True from the moment the job is canceled or the step has timed out."""

    def on_cancel(self, action: Callable[[], None]) -> None:
        """Call `action` once, from another thread, when the work is canceled (at once if it already is)."""
