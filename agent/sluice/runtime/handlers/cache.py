"""`Cache@2`: restores files when its step runs, and keeps them after a job that succeeded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sluice.errors import StorageError, TaskFailedError
from sluice.runtime.artifacts import cache_key
from sluice.runtime.artifacts.manifest import Manifest
from sluice.runtime.artifacts.publishing import find, keeper_of, manifest_of, megabytes, stop_when_canceled, store
from sluice.runtime.artifacts.unpacking import unpack
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.keeping import Cache, CacheKey
from sluice.runtime.request import Execution, Result
from sluice.runtime.step_scope import StepScope
from sluice.secret import Secret

RAN = "RESTORE_STEP_RAN"
RESOLVED = "RESTORE_STEP_RESOLVED_FINGERPRINT"
SALT = "AZP_CACHING_SALT"
"""A variable that makes all keys others: for those who want to start anew."""

OLD_FORMAT = "'key' format is changing to a single line: https://aka.ms/pipeline-caching-docs"


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Restore, or, after the job's steps, keep."""
    if scope.step.execution is Execution.POST:
        _keep_after_job(scope, inputs)
        return
    key = _key(scope, inputs)
    scope.set_task_variable(RAN, "true")
    scope.set_task_variable(RESOLVED, str(key))
    found = keeper_of(scope).find_cache([key, *_restore_keys(scope, inputs)])
    hit = "false"
    if found is None:
        scope.say("There is a cache miss.")
    elif _restore(scope, found, _paths(inputs)):
        hit = "true" if found.key.segments == key.segments else "inexact"
    if name := inputs.text("cacheHitVar").strip():
        from sluice.runtime.step_scope import ScopeOutput

        ScopeOutput(scope).set_variable(name, hit, output=False)


def _restore(scope: StepScope, found: Cache, paths: Sequence[Path]) -> bool:
    """Whether a cache could be restored: one that is broken is none."""
    scope.say(f"Entry found at fingerprint: `{found.key}`{f' ({found.scope})' if found.scope else ''}")
    check = stop_when_canceled(scope)
    try:
        manifest = manifest_of(scope, found.manifest)
        for index, path in enumerate(paths):
            target, entries = (
                path,
                [
                    replace(entry, path=entry.path.partition("/")[2])
                    for entry in manifest.entries
                    if entry.path.startswith(f"{index}/")
                ],
            )
            if single := next((entry for entry in manifest.entries if entry.path == str(index)), None):
                if single.kind == "folder":
                    path.mkdir(parents=True, exist_ok=True)
                else:
                    target, entries = path.parent, [replace(single, path=path.name)]
            unpack(entries, manifest.blocks, keeper_of(scope).blobs, target, links_lead_out=True, check=check)
    except StorageError as error:
        scope.issue("warning", f"The cache cannot be restored: {error}")
        return False
    scope.say(f"Cache restored. ({manifest.files:,} files, {megabytes(manifest.size)})")
    return True


def _keep_after_job(scope: StepScope, inputs: StepInputs) -> None:
    if scope.job.status is not Result.SUCCEEDED:
        scope.say("Skipping because the job status was not 'Succeeded'.")
        return
    if _told(scope, RAN) != "true":
        scope.say("Skipping because restore step did not run.")
        return
    key = _key(scope, inputs)
    if _told(scope, RESOLVED) != str(key):
        scope.issue(
            "warning",
            "The given cache key has changed in its resolved value between restore and save steps;\n"
            f"original key: {_told(scope, RESOLVED)}\nmodified key: {key}",
        )
    keeper = keeper_of(scope)
    if keeper.find_cache([key]) is not None:
        scope.say(f"Cache with fingerprint `{key}` already exists.")
        return
    manifest = _stored(scope, _paths(inputs))
    if not manifest.entries:
        scope.issue("warning", "There is nothing at the paths of the cache: it is not saved.")
        return
    cache = Cache(key=key, manifest=keeper.blobs.put(manifest.encode()), size=manifest.size)
    if keeper.keep_cache(scope.job.request, cache):
        scope.say(f"Saved item. ({manifest.files:,} files, {megabytes(manifest.size)})")
    else:
        scope.say(f"Cache with fingerprint `{key}` already exists.")


def _stored(scope: StepScope, paths: Sequence[Path]) -> Manifest:
    """The files of the paths, each path's below its number, so that they may be restored elsewhere."""
    found = []
    for index, path in enumerate(paths):
        if path.exists():
            prefix = f"{index}/" if path.is_dir() else ""
            found += [
                replace(one, path=f"{prefix}{one.path}" if prefix else str(index))
                for one in find(scope, path, links_lead_out=True)
            ]
    return store(scope, found)


def _key(scope: StepScope, inputs: StepInputs) -> CacheKey:
    text = inputs.text("key")
    if not text.strip():
        raise TaskFailedError("Input required: key", where=scope.step.task)
    segments = cache_key.split(text)
    if "\n" in text.strip():
        if inputs.text("restoreKeys").strip():
            raise TaskFailedError(OLD_FORMAT)
        scope.issue("warning", OLD_FORMAT)
        segments = tuple(line for raw in text.splitlines() if (line := raw.strip()))
    return _resolved(scope, inputs, segments, "Resolving key:")


def _restore_keys(scope: StepScope, inputs: StepInputs) -> list[CacheKey]:
    lines = [line for raw in inputs.text("restoreKeys").splitlines() if (line := raw.strip())]
    return [_resolved(scope, inputs, cache_key.split(line), "Resolving restore key:", prefix=True) for line in lines]


def _resolved(
    scope: StepScope, inputs: StepInputs, segments: tuple[str, ...], heading: str, *, prefix: bool = False
) -> CacheKey:
    scope.say(heading)
    if salt := scope.job.variables.text(SALT):
        segments = (f"{SALT}={salt}", *segments)
    workspace = scope.job.workspace.root
    key = cache_key.resolve(segments, root=inputs.root, workspace=workspace, say=scope.say, prefix=prefix)
    scope.say(f"Resolved to: {key}")
    # The key is stored as it is: no secret belongs into it.
    return replace(key, segments=tuple(map(scope.masked, key.segments)))


def _paths(inputs: StepInputs) -> list[Path]:
    lines = [line for raw in inputs.text("path").splitlines() if (line := raw.strip())]
    if not lines:
        raise TaskFailedError("Input required: path", where="Cache@2")
    return [Path(inputs.root / line) for line in lines]


def _told(scope: StepScope, name: str) -> str:
    value = scope.task_variables.get(name, "")
    return value.reveal() if isinstance(value, Secret) else value
