"""Other systems of continuous integration and delivery: Jenkins, Jira, Chef, Visual Studio App Center."""

from __future__ import annotations

from sluice.plugin import Connection, Family, hookimpl
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
    )
