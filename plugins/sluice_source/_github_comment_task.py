"""`GitHubComment@0`: a comment on a pull request or an issue of GitHub."""

from __future__ import annotations

from sluice.plugin import TaskFailedError, TaskRun
from sluice_source._github_api import repository
from sluice_source._words import printable


def comment(run: TaskRun) -> None:
    """Write the comment; nothing to write, or nowhere, is no failure."""
    project = repository(run, "gitHubConnection", "repositoryName")
    number = run.input("id").strip() or _pull_request(run)
    text = run.input("comment") or run.variable("GITHUB_COMMENT")
    if not number or not text.strip():
        run.say("Contents of the Comment field are empty or the PR/Issue ID is not provided")
        return
    if not number.isdecimal():
        raise TaskFailedError(f"'{printable(number)}' is no number of an issue or a pull request", where=run.task)
    answer = project.ask(f"issues/{int(number)}/comments", method="POST", body={"body": text})
    if answer.status != 201:
        raise TaskFailedError("Writing comment failed", where=run.task, why=str(project.refusal(answer)))
    run.say("Writing comment succeeded")


def _pull_request(run: TaskRun) -> str:
    """The number of the pull request that the run builds."""
    parts = run.variable("Build.SourceBranch").split("/")
    return parts[2] if parts[:2] == ["refs", "pull"] and len(parts) > 2 else ""
