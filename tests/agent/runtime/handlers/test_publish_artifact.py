"""Tasks that keep something need somebody who keeps it."""

from __future__ import annotations

import pytest
from tests.agent.runtime.conftest import Jobs


@pytest.mark.parametrize(
    ("task", "inputs"),
    [
        ("PublishPipelineArtifact@1", {"path": ".", "artifactName": "a"}),
        ("PublishBuildArtifacts@1", {"PathtoPublish": "..", "ArtifactName": "a"}),
        ("DownloadPipelineArtifact@2", {"source": "current", "path": "."}),
        ("Cache@2", {"key": "a", "path": "."}),
    ],
)
def test_outside_of_a_run_nothing_is_kept_and_that_is_told(jobs: Jobs, task: str, inputs: dict[str, str]) -> None:
    ran = jobs.run(jobs.step(task, inputs=inputs))
    assert ran.results() == {"A": "Failed"}
    assert "there is no run that could keep artifacts, caches or attachments" in ran.issues()[0][1]
