"""`checkout`: fills the sources folder from the run's own repository, or from another one that the pipeline names."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import TaskFailedError
from sluice.hooks.connection import Connection
from sluice.runtime.checkout import Checkout, Options, UnfitFolderError
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.job_state import JobState
from sluice.runtime.request import JobRepository
from sluice.runtime.step_scope import StepScope
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.runtime.remote import Remote

REFERENCES = ("checkout@1", "6d15af64-176c-496d-b583-fd2ae21d4df4@1")
CONNECTION = "endpoint"
"""The input under which the service connection of another repository is opened."""

_WITHOUT_MEANING = {
    "fetchFilter": "the repository is on this machine",
    "lfs": "files kept by Git LFS stay pointers",
    "persistCredentials": "no credentials are used",
    "sparseCheckoutDirectories": "everything is checked out",
    "sparseCheckoutPatterns": "everything is checked out",
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """The inputs of a checkout: what the step leaves empty comes from the repository's `checkoutOptions`."""

    inputs: StepInputs
    repository: JobRepository | None

    def text(self, name: str, default: str = "") -> str:
        value = self.inputs.text(name).strip()
        if not value and self.repository is not None:
            value = next(
                (each for key, each in self.repository.options.items() if key.casefold() == name.casefold()), ""
            ).strip()
        return value or default

    def flag(self, name: str, *, default: bool = False) -> bool:
        return self.text(name, str(default)).casefold() == "true"


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Check out, and let the variables say where."""
    alias = inputs.text("repository", "self").strip()
    if alias.casefold() == "none":
        return
    variables = scope.job.variables
    if variables.flag("agent.source.skip") or variables.text("build.syncSources").casefold() == "false":
        scope.say("Skip sync source for repository.")
        return
    known = {each.alias.casefold(): each for each in scope.job.request.repositories}
    asked = _Asked(inputs, known.get(alias.casefold()))
    if inputs.text("workspaceRepo").strip().casefold() not in {"", "false"}:
        scope.issue("warning", "checkout ignores 'workspaceRepo': variables follow the number of checkouts.")
    if alias.casefold() == "self":
        _check_out_self(scope, asked)
    elif asked.repository is None:
        raise TaskFailedError(
            f"the repository '{alias}' is not known",
            do=f"list it under resources.repositories, or name a checkout of it: --repository {alias}=PATH",
        )
    else:
        _check_out_other(scope, asked, asked.repository)


def _check_out_self(scope: StepScope, asked: _Asked) -> None:
    job = scope.job
    source = job.request.repository
    if source is None or not source.is_dir():
        raise TaskFailedError(
            "there is no repository to check out" if source is None else f"Not found repository: {source}",
            do="write 'checkout: none' when the job needs no files",
        )
    name = job.variables.text("Build.Repository.Name") or source.name
    target = _target(job, asked, name.rpartition("/")[2] or source.name)
    scope.say(f"Syncing repository: {name} (Git)")
    try:
        _copy(scope, asked, source, target)
    except UnfitFolderError as error:
        if not scope.step.implicit:
            raise
        why = f": {error.why}" if error.why else ""
        scope.issue(
            "warning", f"No files are checked out, the sources folder stays empty: {error.what}{why} ({error.do})."
        )
    _set_variables(job, target, own=True)


def _check_out_other(scope: StepScope, asked: _Asked, repository: JobRepository) -> None:
    name = repository.name or repository.alias
    target = _target(scope.job, asked, name.rstrip("/").rpartition("/")[2].removesuffix(".git") or repository.alias)
    if repository.path is not None:
        if not repository.path.is_dir():
            raise TaskFailedError(f"Not found repository: {repository.path}", where=repository.alias)
        scope.say(f"Syncing repository: {name} ({repository.path})")
        _copy(scope, asked, repository.path, target)
    else:
        _fetch(scope, asked, repository, target)
    _set_variables(scope.job, target, own=False)


def _copy(scope: StepScope, asked: _Asked, source: Path, target: Path) -> None:
    """From a folder of this machine."""
    for name, meaning in _WITHOUT_MEANING.items():
        if asked.text(name).casefold() not in {"", "false"}:
            scope.issue("warning", f"checkout ignores '{name}' here: {meaning}.")
    checkout = Checkout(
        source=source,
        target=target,
        avoid=_private(scope.job),
        environ=asked.inputs.environment,
        cancellation=scope.stop,
        options=_options(scope, asked),
    )
    commit = _carefully(checkout.run, target)
    for note in checkout.notes:
        scope.say(note)
    scope.say(f"HEAD is now at {commit}, with what is not committed yet on top" if commit else f"Copied from {source}")


def _fetch(scope: StepScope, asked: _Asked, repository: JobRepository, target: Path) -> None:
    """From the server that the repository's service connection is for."""
    from sluice.hooks.manager import installed
    from sluice.hooks.repository import SourceRepository
    from sluice.runtime.remote import locate

    opened = asked.inputs.opened.get(CONNECTION, ())
    connection: Connection | None = opened[0] if opened else None
    if repository.endpoint and connection is None:
        raise TaskFailedError(
            f"the repository '{repository.alias}' needs its service connection '{repository.endpoint}'",
            why="which repository is meant was not known before the step started",
            do="write its alias without variables",
        )
    source = SourceRepository(type=repository.type, name=repository.name)
    remote = locate(installed().repositories, source, connection)
    for secret in remote.secrets():
        scope.learn(secret, f"of the repository {repository.alias}")
    scope.say(f"Syncing repository: {repository.name or repository.alias} ({remote.provider})")
    scope.say(f"From {remote.url}{f' with the service connection {connection.name}' if connection else ''}")
    work = _svn_work if remote.tool == "svn" else _git_work
    revision = _carefully(work(scope, _options(scope, asked), repository, remote, target), target)
    scope.say(f"HEAD is now at {revision}")


def _git_work(
    scope: StepScope, options: Options, repository: JobRepository, remote: Remote, target: Path
) -> Callable[[], str]:
    from sluice.runtime.git import Git
    from sluice.runtime.remote_checkout import RemoteCheckout

    # The host's own environment: what earlier steps have set in theirs does not meet the credentials.
    return RemoteCheckout(
        remote=remote,
        ref=repository.ref,
        commit=repository.commit,
        target=target,
        private=scope.job.workspace.temp,
        git=Git(
            environ=scope.job.environ,
            cancellation=scope.stop,
            cwd=target.parent,
            remote=remote,
            private=scope.job.workspace.temp,
        ),
        options=options,
    ).run


def _svn_work(
    scope: StepScope, options: Options, repository: JobRepository, remote: Remote, target: Path
) -> Callable[[], str]:
    from sluice.runtime.svn_checkout import Svn, SvnCheckout

    def work() -> str:
        # A new folder each time: an earlier step may write into one whose name it knows.
        with tempfile.TemporaryDirectory(
            prefix=".svn-settings-", dir=scope.job.workspace.temp, ignore_cleanup_errors=True
        ) as settings:
            svn = Svn(
                environ=scope.job.environ,
                cancellation=scope.stop,
                cwd=target.parent,
                settings=Path(settings),
                remote=remote,
            )
            return SvnCheckout(
                svn=svn, ref=repository.ref, commit=repository.commit, target=target, options=options, say=scope.say
            ).run()

    return work


def _carefully(work: Callable[[], str], target: Path) -> str:
    try:
        return work()
    except OSError as error:
        raise TaskFailedError(
            "the files cannot be copied", where=os.fspath(error.filename or target), why=error.strerror or ""
        ) from error


def _options(scope: StepScope, asked: _Asked) -> Options:
    depth = asked.text("fetchDepth", "0")
    submodules = asked.text("submodules").casefold()
    if submodules not in {"", "false", "true", "recursive"}:
        scope.issue("warning", f"checkout ignores 'submodules: {submodules}': it is neither true nor recursive.")
    return Options(
        clean=asked.flag("clean"),
        depth=int(depth) if depth.isdecimal() else 0,
        tags=asked.flag("fetchTags", default=True),
        submodules=submodules if submodules in {"true", "recursive"} else "",
        filter=asked.text("fetchFilter"),
        directories=tuple(asked.text("sparseCheckoutDirectories").split()),
        patterns=tuple(asked.text("sparseCheckoutPatterns").split()),
        lfs=asked.flag("lfs"),
        persist=asked.flag("persistCredentials"),
    )


def _private(job: JobState) -> tuple[Path, ...]:
    return (job.request.work, job.workspace.root, *job.request.private)


def _several(job: JobState) -> bool:
    return sum(step.task.casefold() in REFERENCES for step in job.request.steps) > 1


def _target(job: JobState, asked: _Asked, name: str) -> Path:
    """`path` is relative to the workspace and stays in it; several checkouts get a folder each below `s`."""
    root = job.workspace.root
    written = asked.inputs.text("path").strip()
    if written:
        target = Path(os.path.normpath(root / written))
        if root not in target.parents:
            raise TaskFailedError(
                f"Input path '{written}' should resolve to a directory under '{root}', current resolved path '{target}'."
            )
    elif _several(job):
        if name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise TaskFailedError(
                f"the repository's name '{name}' is no name of a folder", do="give the checkout a 'path'"
            )
        target = job.workspace.sources / name
    else:
        target = job.workspace.sources
    _refuse_links(root, target)
    target.mkdir(parents=True, exist_ok=True)
    return target


def _refuse_links(root: Path, target: Path) -> None:
    """No link, which an earlier step may have left, leads out of the workspace. The target's own is replaced."""
    for folder in reversed(target.parents):
        if root in folder.parents and folder.is_symlink():
            raise TaskFailedError(
                f"the checkout's folder {target} is behind a link",
                where=os.fspath(folder),
                why="what is checked out would leave the workspace",
                do="remove the link, or choose another 'path'",
            )
    if target.is_symlink():
        target.unlink()


def _set_variables(job: JobState, target: Path, *, own: bool) -> None:
    """One checkout is what the variables are about; of several the pipeline's own is."""
    path = os.fspath(target)
    several = _several(job)
    if own or not several:
        job.define({"Build.Repository.LocalPath": path})
    if not several:
        job.define({"Build.SourcesDirectory": path, "System.DefaultWorkingDirectory": path})
