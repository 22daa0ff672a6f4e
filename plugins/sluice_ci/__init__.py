"""Other systems of continuous integration and delivery: Jenkins, Jira, Chef, Visual Studio App Center."""

from __future__ import annotations

from sluice.plugin import Connection, Family, Task, TaskRun, hookimpl
from sluice_ci._types import APP_CENTER, CHEF, JENKINS, JIRA


def verify_jenkins(connection: Connection) -> str:
    """Ask Jenkins for its jobs."""
    from sluice_ci._jenkins import verify

    return verify(connection)


def verify_jira(connection: Connection) -> str:
    """Ask Jira who the credentials belong to."""
    from sluice_ci._jira import verify

    return verify(connection)


def verify_chef(connection: Connection) -> str:
    """Ask a Chef Infra Server for the environments of the organization."""
    from sluice_ci._chef import verify

    return verify(connection)


def verify_app_center(connection: Connection) -> str:
    """Ask App Center for the apps of the token."""
    from sluice_ci._appcenter import verify

    return verify(connection)


def queue_jenkins_job(run: TaskRun) -> None:
    """`JenkinsQueueJob@2`: queue a job of Jenkins, show its console, and fail as it fails."""
    from sluice_ci._jenkins_queue_task import queue_job

    queue_job(run)


def download_jenkins_artifacts(run: TaskRun) -> None:
    """`JenkinsDownloadArtifacts@2`: download the artifacts of a build of Jenkins."""
    from sluice_ci._jenkins_download_task import download_artifacts

    download_artifacts(run)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(JENKINS, JIRA, CHEF, APP_CENTER),
        verify={
            JENKINS.name: verify_jenkins,
            JIRA.name: verify_jira,
            CHEF.name: verify_chef,
            APP_CENTER.name: verify_app_center,
        },
        tasks=(
            Task(
                "JenkinsQueueJob@2",
                queue_jenkins_job,
                id="c24b86d4-4256-4925-9a29-246f81aa64a7",
                label="Jenkins queue job",
                summary="Queue a job on a Jenkins server.",
            ),
            Task(
                "JenkinsDownloadArtifacts@2",
                download_jenkins_artifacts,
                id="86c37a92-59a7-444b-93c7-220fcf91e29c",
                label="Jenkins download artifacts",
                summary="Download artifacts produced by a Jenkins job.",
            ),
        ),
    )
