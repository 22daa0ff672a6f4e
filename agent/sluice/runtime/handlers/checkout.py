"""`checkout: self`: fills the sources folder from the repository that the run was started from."""

from __future__ import annotations

import os
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.checkout import Checkout, Options
from sluice.runtime.handlers import inputs as handler_inputs
from sluice.runtime.job_state import JobState
from sluice.runtime.step_scope import StepScope

REFERENCES = ("checkout@1", "6d15af64-176c-496d-b583-fd2ae21d4df4@1")
_WITHOUT_MEANING = {
    "fetchFilter": "the repository is on this machine",
    "lfs": "files kept by Git LFS stay pointers",
    "persistCredentials": "no credentials are used",
    "sparseCheckoutDirectories": "everything is checked out",
    "sparseCheckoutPatterns": "everything is checked out",
    "workspaceRepo": "Build.SourcesDirectory follows the number of checkouts",
}


def run(scope: StepScope, inputs: handler_inputs.StepInputs) -> None:
    """Check out, and let the variables say where."""
    job = scope.job
    repository = inputs.text("repository", "self").strip()
    if repository.casefold() == "none":
        return
    if repository.casefold() != "self":
        raise TaskFailedError(
            f"checkout of '{repository}' is not supported yet",
            why="only 'self' and 'none' are",
            do="clone it in a script step",
        )
    source = job.request.repository
    if source is None or not source.is_dir():
        raise TaskFailedError(
            "there is no repository to check out" if source is None else f"Not found repository: {source}",
            do="write 'checkout: none' when the job needs no files",
        )
    for name, meaning in _WITHOUT_MEANING.items():
        if inputs.text(name).strip().casefold() not in {"", "false"}:
            scope.issue("warning", f"checkout ignores '{name}' here: {meaning}.")
    target = _target(job, inputs, source)
    scope.say(f"Syncing repository: {job.variables.text('Build.Repository.Name') or source.name} (Git)")
    checkout = Checkout(
        source=source,
        target=target,
        avoid=_private(job),
        environ=inputs.environment,
        cancellation=scope.stop,
        options=_options(scope, inputs),
    )
    try:
        commit = checkout.run()
    except OSError as error:
        raise TaskFailedError(
            "the files cannot be copied", where=os.fspath(error.filename or target), why=error.strerror or ""
        ) from error
    for note in checkout.notes:
        scope.say(note)
    scope.say(f"HEAD is now at {commit}, with what is not committed yet on top" if commit else f"Copied from {source}")
    _set_variables(job, target)


def _options(scope: StepScope, inputs: handler_inputs.StepInputs) -> Options:
    depth = inputs.text("fetchDepth", "0").strip()
    submodules = inputs.text("submodules").strip().casefold()
    if submodules not in {"", "false", "true", "recursive"}:
        scope.issue("warning", f"checkout ignores 'submodules: {submodules}': it is neither true nor recursive.")
    return Options(
        clean=inputs.flag("clean"),
        depth=int(depth) if depth.isdecimal() else 0,
        tags=inputs.text("fetchTags", "true").strip().casefold() != "false",
        submodules=submodules if submodules in {"true", "recursive"} else "",
    )


def _private(job: JobState) -> tuple[Path, ...]:
    home = job.environ.get("SLUICE_HOME", "")
    homes = (Path(home),) if home else ()
    return (job.request.work, job.workspace.root, *job.request.private, *homes)


def _several(job: JobState) -> bool:
    return sum(step.task.casefold() in REFERENCES for step in job.request.steps) > 1


def _target(job: JobState, inputs: handler_inputs.StepInputs, source: Path) -> Path:
    """`path` is relative to the workspace and stays in it; several checkouts get a folder each below `s`."""
    root = job.workspace.root
    written = inputs.text("path").strip()
    if written:
        target = Path(os.path.normpath(root / written))
        if root not in target.parents:
            raise TaskFailedError(
                f"Input path '{written}' should resolve to a directory under '{root}', current resolved path '{target}'."
            )
    elif _several(job):
        name = job.variables.text("Build.Repository.Name").rpartition("/")[2] or source.name
        target = job.workspace.sources / name
    else:
        target = job.workspace.sources
    target.mkdir(parents=True, exist_ok=True)
    return target


def _set_variables(job: JobState, target: Path) -> None:
    path = os.fspath(target)
    job.define({"Build.Repository.LocalPath": path})
    if not _several(job):
        job.define({"Build.SourcesDirectory": path, "System.DefaultWorkingDirectory": path})
