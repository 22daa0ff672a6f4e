"""`download:` (DownloadPipelineArtifact) and DownloadBuildArtifacts: artifacts of this run, or of another one."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.choosing import choose
from sluice.runtime.artifacts.copying import copy
from sluice.runtime.artifacts.manifest import Entry
from sluice.runtime.artifacts.publishing import check_name, keeper_of, manifest_of, megabytes, stop_when_canceled
from sluice.runtime.artifacts.unpacking import unpack
from sluice.runtime.artifacts.walking import walk
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.keeping import FILE_SHARE, Artifact, FoundRun, RunWanted
from sluice.runtime.step_scope import StepScope
from sluice.values import dataclass

LATEST, LATEST_OF_BRANCH, SPECIFIC = "latest", "latestfrombranch", "specific"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What any of these tasks asks for; `source` is current, specific, or an alias of `resources.pipelines`."""

    source: str
    name: str
    patterns: tuple[str, ...]
    target: Path
    wanted: RunWanted
    version: str
    run: str
    own_folder: bool = False
    """Whether a single artifact gets a folder of its name, too."""


def run_pipeline(scope: StepScope, inputs: StepInputs) -> None:
    """DownloadPipelineArtifact@2."""
    asked = _Asked(
        source=inputs.text("source", "current").strip(),
        name=inputs.text("artifact").strip(),
        patterns=_lines(inputs.text("patterns")),
        target=inputs.path("path"),
        wanted=_wanted(inputs, pipeline="pipeline", branch="runBranch"),
        version=inputs.text("runVersion", LATEST).strip().casefold(),
        run=inputs.text("runId").strip(),
    )
    _download(scope, asked)


def run_pipeline_before(scope: StepScope, inputs: StepInputs) -> None:
    """DownloadPipelineArtifact@0 and @1, whose inputs have other names."""
    run = inputs.text("buildId", inputs.text("pipelineId")).strip()
    asked = _Asked(
        source=inputs.text("buildType", SPECIFIC if inputs.text("pipelineId") else "current").strip(),
        name=inputs.text("artifactName").strip(),
        patterns=_lines(inputs.text("itemPattern")),
        target=inputs.path("downloadPath" if inputs.text("downloadPath") else "targetPath"),
        wanted=_wanted(inputs, pipeline="definition", branch="branchName"),
        version=SPECIFIC if inputs.text("pipelineId") else inputs.text("buildVersionToDownload", LATEST).casefold(),
        run=run,
    )
    _download(scope, asked)


def run_build(scope: StepScope, inputs: StepInputs) -> None:
    """DownloadBuildArtifacts@0 and @1: each artifact in a folder of its name."""
    specific = inputs.text("downloadType", "single").strip().casefold() == SPECIFIC
    asked = _Asked(
        source=inputs.text("buildType", "current").strip(),
        name="" if specific else inputs.text("artifactName").strip(),
        patterns=_lines(inputs.text("itemPattern")) if specific or inputs.text("itemPattern") else (),
        target=inputs.path("downloadPath"),
        wanted=_wanted(inputs, pipeline="definition", branch="branchName"),
        version=inputs.text("buildVersionToDownload", LATEST).strip().casefold(),
        run=inputs.text("buildId").strip(),
        own_folder=True,
    )
    if not asked.name and not specific:
        raise TaskFailedError("Input required: artifactName", where=scope.step.task)
    if inputs.flag("cleanDestinationFolder"):
        _clean(scope, asked.target)
    _download(scope, asked)


def run_share(scope: StepScope, inputs: StepInputs) -> None:
    """DownloadFileshareArtifacts@1: an artifact in a folder that is shared by other means."""
    for name in ("filesharePath", "artifactName"):
        if not inputs.text(name).strip():
            raise TaskFailedError(f"Input required: {name}", where=scope.step.task)
    name = check_name(inputs.text("artifactName").strip())
    artifact = Artifact(name=name, type=FILE_SHARE, location=str(inputs.path("filesharePath")))
    _fetch_shared(scope, artifact, _lines(inputs.text("itemPattern")), inputs.path("downloadPath") / name)


def _download(scope: StepScope, asked: _Asked) -> None:
    try:
        run = _find_run(scope, asked)
    except TaskFailedError as error:
        if not scope.step.implicit:
            raise
        scope.issue("warning", str(error))
        return
    scope.set_output("BuildNumber", run.name)
    artifacts = tuple(one for one in run.artifacts if one.manifest or one.type == FILE_SHARE)
    if asked.name:
        name = check_name(asked.name)
        artifacts = tuple(one for one in run.artifacts if one.name.casefold() == name.casefold())
        if not artifacts:
            raise TaskFailedError(
                f"Artifact {name} was not found for build {run.id}.",
                why=f"it has {', '.join(repr(one.name) for one in run.artifacts) or 'none at all'}",
            )
    scope.say(f"Download artifact to: {asked.target}")
    if not artifacts:
        scope.say(f"No artifacts are available in the version '{run.name}'.")
    for artifact in artifacts:
        single = bool(asked.name) and not asked.own_folder
        target = asked.target if single else asked.target / check_name(artifact.name)
        _fetch(scope, artifact, asked.patterns, target)
    scope.say("Downloading artifact finished.")


def _find_run(scope: StepScope, asked: _Asked) -> FoundRun:
    keeper, own = keeper_of(scope), scope.job.request.run_id
    source = asked.source.casefold()
    if source == "current":
        return keeper.run(RunWanted(run_id=own))
    if source != SPECIFIC:
        text = scope.job.variables.text(f"resources.pipeline.{asked.source}.runID")
        if not text:
            raise TaskFailedError(
                f"Pipeline Resource {asked.source} Input Must be Valid.",
                why="no finished run was there for it to stand for when this run was created",
                do="run that pipeline, then start a new run of this one",
            )
        return keeper.run(RunWanted(run_id=int(text)))
    if asked.version == SPECIFIC:
        if not (asked.run.isascii() and asked.run.isdecimal() and len(asked.run) <= 18):
            raise TaskFailedError(f"Run Id is not valid: {asked.run}")
        return keeper.run(replace(asked.wanted, run_id=int(asked.run)))
    if not asked.wanted.pipeline:
        raise TaskFailedError("Pipeline Definition cannot be null or empty.", where=scope.step.task)
    wanted = asked.wanted if asked.version == LATEST_OF_BRANCH else replace(asked.wanted, branch="")
    return keeper.run(wanted)


def _wanted(inputs: StepInputs, *, pipeline: str, branch: str) -> RunWanted:
    results = ["Succeeded"]
    if inputs.flag("allowPartiallySucceededBuilds"):
        results.append("SucceededWithIssues")
    if inputs.flag("allowFailedBuilds"):
        results.append("Failed")
    if inputs.flag("allowCanceledBuilds"):
        results.append("Canceled")
    return RunWanted(
        project=inputs.text("project").strip(),
        pipeline=inputs.text(pipeline).strip(),
        branch=inputs.text(branch).strip(),
        tags=tuple(tag for part in inputs.text("tags").split(",") if (tag := part.strip())),
        results=tuple(results),
    )


def _fetch(scope: StepScope, artifact: Artifact, patterns: tuple[str, ...], target: Path) -> None:
    if not artifact.manifest:
        _fetch_shared(scope, artifact, patterns, target)
        return
    manifest = manifest_of(scope, artifact.manifest)
    entries = choose(manifest.entries, patterns, artifact.name)
    blobs = keeper_of(scope).blobs
    written = unpack(entries, manifest.blocks, blobs, target, check=stop_when_canceled(scope))
    _tell(scope, artifact, sum(entry.kind == "file" for entry in entries), f", {megabytes(written)} written")


def _fetch_shared(scope: StepScope, artifact: Artifact, patterns: tuple[str, ...], target: Path) -> None:
    folder = Path(artifact.location) / artifact.name
    if not artifact.location.startswith("/") or not folder.is_dir():
        raise TaskFailedError(
            f"Failed to download the artifact from {artifact.location}.", why="there is no such folder on this machine"
        )
    found = {one.path: one for one in walk(folder)}
    chosen = choose((Entry(path=path) for path in found), patterns, artifact.name)
    copy([found[entry.path] for entry in chosen], target, check=stop_when_canceled(scope))
    _tell(scope, artifact, len(chosen), "")


def _tell(scope: StepScope, artifact: Artifact, count: int, more: str) -> None:
    scope.say(f"Downloaded artifact '{artifact.name}': {count:,} file{'' if count == 1 else 's'}{more}")


def _clean(scope: StepScope, target: Path) -> None:
    """Empty a folder of the workspace; nothing else is emptied because an input says so."""
    root = scope.job.workspace.root.resolve()
    real = target.resolve()
    if not real.is_relative_to(root):
        raise TaskFailedError(f"'{target}' is not cleaned: it lies outside of the job's workspace", where=str(root))
    for one in real.iterdir() if real.is_dir() else ():
        if one.is_dir() and not one.is_symlink():
            shutil.rmtree(one)
        else:
            one.unlink()


def _lines(text: str) -> tuple[str, ...]:
    return tuple(line for raw in text.splitlines() if (line := raw.strip()))
