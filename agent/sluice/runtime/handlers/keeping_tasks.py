"""The built-in tasks that publish and download artifacts, keep caches, and publish results of tests and coverage."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.runtime.handlers.native import NativeTask, Run, later

_DOCS = "https://learn.microsoft.com/azure/devops/pipelines/tasks/reference"


def _task(label: str, description: str, version: str, page: str, run: Run) -> NativeTask:
    return NativeTask(label=label, description=description, version=version, help=f"{_DOCS}/{page}", run=run)


_PUBLISH = "Publish Pipeline Artifacts", "Publish (upload) a file or directory as a named artifact for the current run"
_DOWNLOAD = "Download Pipeline Artifacts", "Download build and pipeline artifacts"
_DOWNLOAD_BUILD = "Download build artifacts", "Download files that were saved as artifacts of a completed build"
_TESTS = "Publish Test Results", "Publish test results to Azure Pipelines"
_COVERAGE = "Publish code coverage results", "Publish any of the code coverage results from a build"
_CACHE = "Cache", "Cache files between runs"

TASKS: Mapping[str, NativeTask] = {
    "publishpipelineartifact@0": _task(
        *_PUBLISH, "0", "publish-pipeline-artifact-v0", later("publish_artifact", "run_pipeline")
    ),
    "publishpipelineartifact@1": _task(
        *_PUBLISH, "1", "publish-pipeline-artifact-v1", later("publish_artifact", "run_pipeline")
    ),
    "downloadpipelineartifact@0": _task(
        *_DOWNLOAD, "0", "download-pipeline-artifact-v0", later("download_artifact", "run_pipeline_before")
    ),
    "downloadpipelineartifact@1": _task(
        *_DOWNLOAD, "1", "download-pipeline-artifact-v1", later("download_artifact", "run_pipeline_before")
    ),
    "downloadpipelineartifact@2": _task(
        *_DOWNLOAD, "2", "download-pipeline-artifact-v2", later("download_artifact", "run_pipeline")
    ),
    "publishbuildartifacts@1": _task(
        "Publish build artifacts",
        "Publish build artifacts to Azure Pipelines or a Windows file share",
        "1",
        "publish-build-artifacts-v1",
        later("publish_artifact", "run_build"),
    ),
    "downloadbuildartifacts@0": _task(
        *_DOWNLOAD_BUILD, "0", "download-build-artifacts-v0", later("download_artifact", "run_build")
    ),
    "downloadbuildartifacts@1": _task(
        *_DOWNLOAD_BUILD, "1", "download-build-artifacts-v1", later("download_artifact", "run_build")
    ),
    "downloadfileshareartifacts@1": _task(
        "Download artifacts from file share",
        "Download artifacts from a file share, like \\share\\drop",
        "1",
        "download-fileshare-artifacts-v1",
        later("download_artifact", "run_share"),
    ),
    "publishcodecoverageresults@1": _task(
        *_COVERAGE, "1", "publish-code-coverage-results-v1", later("publish_coverage")
    ),
    "publishcodecoverageresults@2": _task(
        *_COVERAGE, "2", "publish-code-coverage-results-v2", later("publish_coverage")
    ),
    "publishtestresults@1": _task(*_TESTS, "1", "publish-test-results-v1", later("publish_results")),
    "publishtestresults@2": _task(*_TESTS, "2", "publish-test-results-v2", later("publish_results")),
    "cache@2": _task(*_CACHE, "2", "cache-v2", later("cache")),
    "cachebeta@0": _task(*_CACHE, "0", "cache-v2", later("cache")),
    "cachebeta@1": _task(*_CACHE, "1", "cache-v2", later("cache")),
}
"""By casefolded `Name@Major`; their modules are imported when a step of theirs runs."""
