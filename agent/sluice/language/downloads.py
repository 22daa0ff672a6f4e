"""What `download:` means beyond its task: where it puts what it downloads."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.language.plan import Step

DOWNLOAD = "DownloadPipelineArtifact@2"
_OF_RUN = frozenset({"current", "specific"})


def download_path(step: Step) -> str:
    """The `path` of a `download:` that writes none: a folder for the resource, and one for the artifact.

    '' for any other step: the task itself puts an artifact's files right into the workspace.
    """
    source = step.inputs.get("source")
    # The shortcut's value stands where its task does; the input of a written task has a place of its own.
    if step.task.value != DOWNLOAD or source is None or source.where != step.task.where or "path" in step.inputs:
        return ""
    artifact = step.inputs.get("artifact")
    alias = "" if source.value.casefold() in _OF_RUN else f"/{source.value}"
    folder = f"/{artifact.value}" if artifact is not None and artifact.value.strip() else ""
    return f"$(Pipeline.Workspace){alias}{folder}"
