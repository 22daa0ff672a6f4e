"""Where sources are: GitHub, GitHub Enterprise Server, Bitbucket Cloud, Azure Repos/TFS, other Git servers, Subversion."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.plugin import Connection, Family, Renewal, Secret, Task, TaskRun, hookimpl
from sluice_source._rules import RULES
from sluice_source._types import BITBUCKET, EXTERNAL_TFS, GIT, GITHUB, GITHUB_ENTERPRISE, SUBVERSION


def verify_github(connection: Connection) -> str:
    """Ask GitHub, or an Enterprise Server, who the token belongs to."""
    from sluice_source._github import verify

    return verify(connection)


def prepare_github(connection: Connection) -> Connection:
    """Issue an installation token where the connection is an app's, and name the scheme as tasks know it."""
    from sluice_source._github import prepare

    return prepare(connection)


def prepare_grant(connection: Connection) -> Connection:
    """Keep back what new tokens are got with."""
    from sluice_source._oauth import without_grant

    return without_grant(connection)


def seconds_left(connection: Connection, now: float) -> float | None:
    """For how long an OAuth access token is good still."""
    from sluice_source._oauth import seconds_left

    return seconds_left(connection, now)


def renew_grant(connection: Connection, now: float) -> tuple[Mapping[str, Secret], float]:
    """Get new OAuth tokens for the refresh token."""
    from sluice_source._oauth import renew

    return renew(connection, now)


def verify_bitbucket(connection: Connection) -> str:
    """Ask Bitbucket Cloud who the credentials belong to."""
    from sluice_source._bitbucket import verify

    return verify(connection)


def verify_external_tfs(connection: Connection) -> str:
    """Ask an Azure DevOps organization or a project collection who asks, and for its projects."""
    from sluice_source._external_tfs import verify

    return verify(connection)


def verify_git(connection: Connection) -> str:
    """Ask a git server for the references of the repository, as `git ls-remote` does."""
    from sluice_source._other_git import verify

    return verify(connection)


def verify_subversion(connection: Connection) -> str:
    """Ask for the repository with `svn info`."""
    from sluice_source._subversion import verify

    return verify(connection)


def release_on_github(run: TaskRun) -> None:
    """`GitHubRelease@1`: create, edit or delete a release."""
    from sluice_source._github_release_task import release

    release(run)


def comment_on_github(run: TaskRun) -> None:
    """`GitHubComment@0`: comment on a pull request or an issue."""
    from sluice_source._github_comment_task import comment

    comment(run)


def download_github_release(run: TaskRun) -> None:
    """`DownloadGitHubRelease@0`: download the assets of a release."""
    from sluice_source._github_download_task import download_release

    download_release(run)


GRANT = Renewal(left=seconds_left, ask=renew_grant)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(GITHUB, GITHUB_ENTERPRISE, BITBUCKET, EXTERNAL_TFS, GIT, SUBVERSION),
        verify={
            GITHUB.name: verify_github,
            GITHUB_ENTERPRISE.name: verify_github,
            BITBUCKET.name: verify_bitbucket,
            EXTERNAL_TFS.name: verify_external_tfs,
            GIT.name: verify_git,
            SUBVERSION.name: verify_subversion,
        },
        prepare={
            GITHUB.name: prepare_github,
            GITHUB_ENTERPRISE.name: prepare_grant,
            BITBUCKET.name: prepare_grant,
        },
        renew={kind.name: GRANT for kind in (GITHUB, GITHUB_ENTERPRISE, BITBUCKET)},
        repositories=RULES,
        tasks=(
            Task(
                "GitHubRelease@1",
                release_on_github,
                id="7b5a6198-adf8-4b16-9939-7addf85708b2",
                label="GitHub Release",
                summary="Create, edit, or delete a GitHub release.",
            ),
            Task(
                "GitHubComment@0",
                comment_on_github,
                id="deea6198-adf8-4b16-9939-7addf85708b2",
                label="GitHub Comment",
                summary="Write a comment to your GitHub entity, i.e. issue or a pull request (PR).",
            ),
            Task(
                "DownloadGitHubRelease@0",
                download_github_release,
                id="263abc27-4582-4174-8789-af599697778e",
                label="Download GitHub Release",
                summary="Download a GitHub release from a repository.",
            ),
        ),
    )
