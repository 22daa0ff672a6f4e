"""Other systems of continuous integration and delivery: Jenkins, Jira, Chef, Visual Studio App Center."""

from __future__ import annotations

from sluice.plugin import Connection, Family, Input, Task, TaskRun, hookimpl
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


def update_jira_issues(run: TaskRun) -> None:
    """`JiraUpdateIssue@1`: comment on issues, set their fields, move them along their workflow."""
    from sluice_ci._jira_task import update_issues

    update_issues(run)


def deploy_chef_environment(run: TaskRun) -> None:
    """`Chef@1`: set attributes of an environment and wait for its nodes."""
    from sluice_ci._chef_environment_task import deploy

    deploy(run)


def run_chef_knife(run: TaskRun) -> None:
    """`ChefKnife@1`: run a script with knife commands."""
    from sluice_ci._knife_task import run_knife

    run_knife(run)


def distribute_by_app_center(run: TaskRun) -> None:
    """`AppCenterDistribute@3`: upload an app, hand it to testers or a store."""
    from sluice_ci._appcenter_task import distribute

    distribute(run)


JIRA_INPUTS = (
    Input("jiraConnection", type="connectedService:jira", label="Jira connection", required=True),
    Input(
        "issueKeys",
        type="multiLine",
        label="Issues",
        required=True,
        help="Keys such as SHOP-12, or any text with keys in it, such as commit messages.",
    ),
    Input("comment", type="multiLine", label="Comment"),
    Input(
        "transition",
        label="Transition",
        help="The name or number of a transition, or the name of the status that one leads to.",
    ),
    Input("fields", type="multiLine", label="Fields", help='A JSON object, such as {"customfield_10010": 5}.'),
    Input("labels", type="multiLine", label="Labels to add", help="Between spaces, commas or line ends."),
    Input("failWhenNoIssues", type="boolean", label="Fail when there is no issue", default="true"),
)


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
            *(
                Task(
                    f"JenkinsDownloadArtifacts@{major}",  # both have the same inputs
                    download_jenkins_artifacts,
                    id="86c37a92-59a7-444b-93c7-220fcf91e29c",
                    label="Jenkins download artifacts",
                    summary="Download artifacts produced by a Jenkins job.",
                )
                for major in (1, 2)
            ),
            Task(
                "JiraUpdateIssue@1",
                update_jira_issues,
                label="Update Jira issues",
                summary="Comment on Jira issues, set their fields, move them along their workflow.",
                inputs=JIRA_INPUTS,
            ),
            Task(
                "Chef@1",
                deploy_chef_environment,
                id="b719db6c-40a2-4f43-9aff-827825baecae",
                label="Chef",
                summary="Deploy to Chef environments by editing environment attributes.",
            ),
            Task(
                "ChefKnife@1",
                run_chef_knife,
                id="c7b7ccf9-d6e0-472b-97bb-06b6e43504f3",
                label="Chef Knife",
                summary="Run scripts with Knife commands on your Chef workstation.",
            ),
            Task(
                "AppCenterDistribute@3",
                distribute_by_app_center,
                id="b832bec5-8c27-4fef-9fb8-6bec8524ad8a",
                label="App Center distribute",
                summary="Distribute app builds to testers and users via Visual Studio App Center.",
            ),
        ),
    )
