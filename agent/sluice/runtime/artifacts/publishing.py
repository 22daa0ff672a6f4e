"""Publishes and fetches files for a running step: what tasks and logging commands share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from sluice.errors import CanceledError, TaskFailedError
from sluice.runtime.artifacts.ignoring import ignored_in
from sluice.runtime.artifacts.manifest import Manifest, decode
from sluice.runtime.artifacts.packing import pack
from sluice.runtime.artifacts.walking import Found, walk
from sluice.runtime.keeping import Artifact, Attachment, Keeper
from sluice.runtime.step_scope import StepScope

MAX_NAME = 255
MAX_ATTACHMENTS = 1_000
"""How many attachments the steps of one job may add."""

_FORBIDDEN = '\\/":<>|*?'


def keeper_of(scope: StepScope) -> Keeper:
    """Who keeps what the step leaves behind; raises `TaskFailedError` where nobody does."""
    if scope.job.keeper is None:
        raise TaskFailedError(
            "there is no run that could keep artifacts, caches or attachments",
            do="use the task in a pipeline: sluice run",
        )
    return scope.job.keeper


def check_name(name: str) -> str:
    """An artifact's name, which is never a path; raises `TaskFailedError` in the documented words."""
    if not name or name in {".", ".."} or not set(name).isdisjoint(_FORBIDDEN) or not name.isprintable():
        raise TaskFailedError(
            f"Artifact name is not valid: {name}. It cannot contain '\\', /', \"', ':', '<', '>', '|', '*', and '?'"
        )
    if len(name.encode()) > MAX_NAME:
        raise TaskFailedError(f"Artifact name is not valid: it has more than {MAX_NAME} bytes")
    return name


def publish(
    scope: StepScope,
    path: Path,
    name: str,
    *,
    type: str,  # noqa: A002  # the field's word
    folder: str = "",
    ignore: bool = False,
    properties: Mapping[str, str] | None = None,
) -> Artifact:
    """Store the files at a path and record them as an artifact of the run; with `folder` they lie in that one.

    Raises `TaskFailedError`, or `ConflictError` for a name that is taken.
    """
    keeper = keeper_of(scope)
    found = [replace(one, path=f"{folder}/{one.path}") if folder else one for one in find(scope, path, ignore=ignore)]
    manifest = store(scope, found)
    artifact = Artifact(
        name=name,
        type=type,
        manifest=keeper.blobs.put(manifest.encode()),
        size=manifest.size,
        files=manifest.files,
        properties=properties or {},
    )
    keeper.publish(scope.job.request, scope.step, artifact)
    return artifact


def find(scope: StepScope, path: Path, *, ignore: bool = False, links_lead_out: bool = False) -> list[Found]:
    """What lies at a path, but for what belongs to Sluice and to nobody's artifact.

    Raises `TaskFailedError` when there is nothing, or the path is where Sluice keeps its own.
    """
    if not path.exists():
        raise TaskFailedError(f"Path does not exist: {path}")
    request, temp = scope.job.request, scope.job.workspace.temp
    real = path.resolve()
    private = [folder.resolve() for folder in request.private]
    if any(real.is_relative_to(folder) for folder in private) and not real.is_relative_to(request.work.resolve()):
        raise TaskFailedError(f"'{path}' is where Sluice keeps its state: it is not published")
    skip = ignored_in(path) if ignore and path.is_dir() else None
    try:
        return walk(path, skip=skip, avoid=(*private, temp, temp / ".tools"), links_lead_out=links_lead_out)
    except OSError as error:
        raise TaskFailedError(
            "the files cannot be read", where=str(error.filename or path), why=error.strerror or str(error)
        ) from error


def store(scope: StepScope, found: list[Found]) -> Manifest:
    """Store what was found as blobs."""
    return pack(found, keeper_of(scope).blobs, check=stop_when_canceled(scope))


def attach(scope: StepScope, path: Path, kind: str, name: str) -> None:
    """Keep a file with the step; one beyond `MAX_ATTACHMENTS` of the job is a warning, once."""
    if scope.may_keep("attachments", MAX_ATTACHMENTS):
        digest, size = manifest_of_file(scope, path)
        attachment = Attachment(type=kind, name=name, manifest=digest, size=size)
        keeper_of(scope).attach(scope.job.request, scope.step, attachment)


def manifest_of_file(scope: StepScope, path: Path) -> tuple[str, int]:
    """Store a file alone: the digest of the list that has just it, and its size."""
    manifest = store(scope, find(scope, path))
    return keeper_of(scope).blobs.put(manifest.encode()), manifest.size


def manifest_of(scope: StepScope, digest: str) -> Manifest:
    """The list of files that was stored under a digest."""
    return decode(keeper_of(scope).blobs.get(digest))


def stop_when_canceled(scope: StepScope) -> Callable[[], None]:
    """What raises `CanceledError` once the step is canceled."""

    def check() -> None:
        if scope.cancellation.canceled:
            raise CanceledError("the step was canceled")

    return check


def megabytes(size: int) -> str:
    """A size as people read it."""
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"
