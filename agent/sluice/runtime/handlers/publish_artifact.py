"""`publish:` (PublishPipelineArtifact) and PublishBuildArtifacts: files become an artifact of the run."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.artifacts.copying import copy
from sluice.runtime.artifacts.publishing import check_name, find, keeper_of, megabytes, publish, stop_when_canceled
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.keeping import CONTAINER, FILE_SHARE, PIPELINE, Artifact
from sluice.runtime.step_scope import StepScope

_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9 .-]")
PREFIX = "user-"
"""What names of an artifact's own properties start with."""


def run_pipeline(scope: StepScope, inputs: StepInputs) -> None:
    """PublishPipelineArtifact@0 and @1."""
    name = scope.masked(inputs.text("artifactName").strip())
    if name:
        scope.say(f"Artifact name input: {name}")
    else:
        scope.say("Artifact name was not inserted for publishing.")
        name = _named_by_job(scope)
    path = inputs.path("path" if inputs.text("path") else "targetPath")
    properties = _properties(inputs.text("properties"))
    if inputs.text("artifactType", "pipeline").strip().casefold() == "filepath":
        _share(scope, path, check_name(name), inputs, "fileSharePath")
        return
    scope.say(f"Uploading pipeline artifact from {path} for build #{scope.job.request.run_id}")
    artifact = publish(scope, path, check_name(name), type=PIPELINE, ignore=True, properties=properties)
    _tell(scope, artifact)
    scope.say("Uploading pipeline artifact finished.")


def run_build(scope: StepScope, inputs: StepInputs) -> None:
    """PublishBuildArtifacts@1: to the run, or to a folder that others share."""
    path, name = inputs.path("PathtoPublish"), check_name(scope.masked(inputs.text("ArtifactName", "drop").strip()))
    if inputs.flag("StoreAsTar"):
        scope.issue("warning", "StoreAsTar has no meaning here: executable bits are kept anyway.")
    if inputs.text("ArtifactType", "Container").strip().casefold() == "filepath":
        _share(scope, path, name, inputs, "TargetPath")
        return
    if path.is_dir() and not any(path.iterdir()):
        scope.issue("warning", f"Directory '{path}' is empty. Nothing will be added to build artifact '{name}'.")
        return
    artifact = publish(scope, path, name, type=CONTAINER)
    _tell(scope, artifact)
    scope.say(f"Associated artifact {name} with build {scope.job.request.run_id}")


def _tell(scope: StepScope, artifact: Artifact) -> None:
    files = f"{artifact.files:,} file{'' if artifact.files == 1 else 's'}"
    scope.say(f"Published artifact '{artifact.name}': {files}, {megabytes(artifact.size)}")


def _named_by_job(scope: StepScope) -> str:
    identifier = scope.job.variables.text("System.JobIdentifier") or scope.job.request.identifier
    return _NOT_IN_A_NAME.sub("", identifier).replace(".default", "")


def _properties(text: str) -> Mapping[str, str]:
    if not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise TaskFailedError(f"Artifact custom properties is not valid JSON: '{text}'")
    if wrong := next((name for name in found if not name.startswith(PREFIX)), None):
        raise TaskFailedError(f"Artifact custom properties must be prefixed with 'user-'. Invalid property: '{wrong}'")
    return found


def _share(scope: StepScope, path: Path, name: str, inputs: StepInputs, where: str) -> None:
    """Copy to a folder that others see, too; the run keeps only where that is."""
    if not inputs.text(where).strip():
        raise TaskFailedError(f"Input required: {where}", where=scope.step.task)
    share = inputs.path(where)
    target = share / name
    found = find(scope, path)
    copy(found, target, check=stop_when_canceled(scope))
    artifact = Artifact(name=name, type=FILE_SHARE, location=str(share), files=len(found))
    keeper_of(scope).publish(scope.job.request, scope.step, artifact)
    scope.say(f"Successfully published artifacts to {target}")
