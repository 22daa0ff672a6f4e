"""`HelmDeploy@1`: runs Helm 3 against the cluster of a connection; values stand in a private file, not in its arguments."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun, split_arguments
from sluice_kubernetes._helm_values import Pair, split_pairs, write_values
from sluice_kubernetes._job import target_of, tool_environment
from sluice_kubernetes._kubectl_task import MAX_OUTPUT, log_in, log_out
from sluice_kubernetes._tools import HELM, find_tool

_LOCAL = frozenset({"create", "package", "push"})
"""Commands that need no cluster."""

_GONE = frozenset({"init"})
"""Commands that Helm 3 does not have."""

_SEMVER = re.compile(r"v?\d+\.\d+\.\d+(?:[-+][\w.+-]+)?")
_QUIET = 'exec "$@" 2>"$0"'
"""A shell's way to keep what a program says on standard error apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is added to a command line: arguments, and values that go into a file."""

    arguments: tuple[str, ...] = ()
    values: tuple[Pair, ...] = ()


def run_helm(run: TaskRun) -> None:
    """Carry out the `command` of the step."""
    command = run.required("command").strip().lower()
    if run.flag("enableTls") or run.input("tillernamespace").strip() or command in _GONE:
        raise TaskFailedError(
            "Helm 2 and its Tiller are not supported",
            where=run.task,
            do="leave out 'enableTls', 'tillernamespace' and the command init: Helm 3 uses the cluster's own rights",
        )
    if command == "logout":
        log_out(run)
        return
    if command == "login":
        log_in(run, target_of(run))
        return
    words = _COMMANDS.get(command, _other)(run)
    access = None if command in _LOCAL else target_of(run).access
    program = find_tool(run, HELM)
    with tempfile.TemporaryDirectory(prefix="helm-", dir=run.temp) as folder:
        values = write_values(Path(folder), words.values, run.task)
        with tool_environment(run, access) as environment:
            _execute(run, [program, command, *_debug(run), *words.arguments, *values], environment, Path(folder))


def _execute(run: TaskRun, command: list[str], environment: Mapping[str, str], folder: Path) -> None:
    output: list[bytes] = []
    with _errors_apart(run, command, folder) as (arguments, errors):
        status = run.execute(arguments, folder=run.sources, environment=environment, take=output.append)
        said = errors.read_text(errors="replace").strip() if errors else ""
    if said:
        run.say(said)
    text = b"".join(output).decode("utf-8", "replace").strip("\n")
    run.set_variable("helmExitCode", str(status), output=True)
    if len(text) > MAX_OUTPUT:
        run.warn(
            f"Output variable not set as helm command output exceeded the maximum supported length. "
            f"Output length: {len(text)}, Maximum supported length: {MAX_OUTPUT}"
        )
    elif text:
        run.set_variable("helmOutput", text, output=True)
    if status:
        raise TaskFailedError(
            f"helm {command[1]} failed with exit code {status}", where=run.task, why=_reason(said or text)
        )
    if said:
        raise TaskFailedError(
            f"helm {command[1]} wrote to standard error", where=run.task, why=f"'failOnStderr' is set: {_reason(said)}"
        )


@contextlib.contextmanager
def _errors_apart(run: TaskRun, command: list[str], folder: Path) -> Iterator[tuple[list[str], Path | None]]:
    """The command, and the file with what it says on standard error where a word there is a failure."""
    if not run.flag("failOnStderr"):
        yield command, None
        return
    errors = folder / "errors"
    errors.touch(mode=0o600)
    yield ["/bin/sh", "-c", _QUIET, str(errors), *command], errors


def _install(run: TaskRun) -> Words:
    name = run.input("releaseName").strip()
    options = ["--dependency-update"] if run.flag("updatedependency") else []
    given = _given(run)
    return Words(
        arguments=(
            *_namespace(run),
            *_value_file(run),
            *options,
            *([name] if name else ["--generate-name"]),
            *(["--wait"] if run.flag("waitForExecution") else []),
            *given.arguments,
            _chart(run),
            *_version(run),
        ),
        values=(*_overrides(run), *given.values),
    )


def _upgrade(run: TaskRun) -> Words:
    name = run.input("releaseName").strip() or run.variable("Build.BuildNumber")
    flags = (("install", "--install"), ("resetValues", "--reset-values"), ("force", "--force"))
    options = [option for flag, option in flags if run.flag(flag)]
    if run.flag("recreate"):
        run.warn("'recreate' is left out: Helm 3 has no --recreate-pods")
    given = _given(run)
    return Words(
        arguments=(
            *_namespace(run),
            *options,
            *_value_file(run),
            *(["--wait"] if run.flag("waitForExecution") else []),
            *given.arguments,
            name,
            _chart(run),
            *_version(run),
        ),
        values=(*_overrides(run), *given.values),
    )


def _package(run: TaskRun) -> Words:
    options = ["--dependency-update"] if run.flag("updatedependency") else []
    version = run.input("version").strip()
    if version:
        options += ["--version", version]
    if run.input("destination").strip():
        folder = run.path("destination")
        folder.mkdir(parents=True, exist_ok=True)
        options += ["--destination", str(folder)]
    return Words(arguments=(*options, *split_arguments(run.input("arguments")), _found(run, "chartPath")))


def _push(run: TaskRun) -> Words:
    return Words(arguments=(_found(run, "chartPath"), run.required("remoteRepo").strip()))


def _create(run: TaskRun) -> Words:
    return Words(arguments=(run.required("chartName").strip(),))


def _of_release(run: TaskRun) -> Words:
    return Words(
        arguments=(
            run.required("releaseName").strip(),
            *_namespace(run),
            *split_arguments(run.input("arguments")),
        )
    )


def _other(run: TaskRun) -> Words:
    return Words(arguments=(*_namespace(run), *split_arguments(run.input("arguments"))))


_COMMANDS: Mapping[str, Callable[[TaskRun], Words]] = {
    "install": _install,
    "upgrade": _upgrade,
    "package": _package,
    "push": _push,
    "create": _create,
    "rollback": _of_release,
    "uninstall": _of_release,
    "delete": _of_release,
}


def _given(run: TaskRun) -> Words:
    """`arguments`; what `--set` and `--set-string` say in them goes into the file, too."""
    kept: list[str] = []
    values: list[Pair] = []
    words = iter(split_arguments(run.input("arguments")))
    for word in words:
        option, has_value, value = word.partition("=")
        if option in {"--set", "--set-string"}:
            text = value if has_value else next(words, "")
            values += split_pairs(text, run.task, as_text=option == "--set-string")
        else:
            kept.append(word)
    return Words(arguments=tuple(kept), values=tuple(values))


def _overrides(run: TaskRun) -> list[Pair]:
    return split_pairs(",".join(run.lines("overrideValues")), run.task)


def _namespace(run: TaskRun) -> list[str]:
    return ["--namespace", run.input("namespace").strip()] if run.input("namespace").strip() else []


def _value_file(run: TaskRun) -> list[str]:
    named = run.input("valueFile").strip()
    return ["--values", _found(run, "valueFile")] if named and run.path("valueFile") != run.sources else []


def _chart(run: TaskRun) -> str:
    if run.input("chartType").strip() == "Name":
        return run.required("chartName").strip()
    return _found(run, "chartPath")


def _version(run: TaskRun) -> list[str]:
    version = run.input("version").strip()
    if version and not _SEMVER.fullmatch(version):
        run.say(f"The given version {version} is not valid. Running the helm command with latest version")
        return []
    return ["--version", version] if version else []


def _found(run: TaskRun, name: str) -> str:
    """The path that an input names; of a pattern the first one that matches."""
    written = run.required(name).strip()
    if any(letter in written for letter in "*?"):
        pattern = written.removeprefix(f"{run.sources}{os.sep}")
        found = run.files(run.sources, [pattern if "/" in pattern else f"**/{pattern}"])
        if not found:
            raise TaskFailedError(f"No matching files were found with search pattern: {written}", where=run.task)
        return str(found[0])
    path = run.path(name)
    return str(path) if path.exists() else written


def _debug(run: TaskRun) -> list[str]:
    return ["--debug"] if run.variable("System.Debug").casefold() == "true" else []


def _reason(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("Error")]
    return (errors or lines or [""])[-1][:500]
