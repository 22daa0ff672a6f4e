"""Package managers: connections to npm, NuGet, Maven, Python and Cargo registries, and the tasks that log in to them."""

from __future__ import annotations

from collections.abc import Callable

from sluice.plugin import Connection, Family, Task, TaskRun, hookimpl
from sluice_packages._types import CARGO, MAVEN, NPM, NUGET, PYTHON_DOWNLOAD, PYTHON_UPLOAD

TYPES = (NPM, NUGET, MAVEN, PYTHON_DOWNLOAD, PYTHON_UPLOAD, CARGO)


def verifying(name: str) -> Callable[[Connection], str]:
    """The verification of a connection type."""

    def verify(connection: Connection) -> str:
        from sluice_packages._verification import VERIFY

        return VERIFY[name](connection)

    return verify


def authenticate_npm(run: TaskRun) -> None:
    """`npmAuthenticate@0`: credentials in an `.npmrc`, until the job ends."""
    from sluice_packages._npm_authenticate import authenticate

    authenticate(run)


def run_npm(run: TaskRun) -> None:
    """`Npm@1`: install and publish packages, or run any npm command."""
    from sluice_packages._npm import run_npm

    run_npm(run)


def authenticate_pip(run: TaskRun) -> None:
    """`PipAuthenticate@1`: indexes for pip."""
    from sluice_packages._python import authenticate_pip

    authenticate_pip(run)


def authenticate_twine(run: TaskRun) -> None:
    """`TwineAuthenticate@1`: a `.pypirc` for twine."""
    from sluice_packages._python import authenticate_twine

    authenticate_twine(run)


def authenticate_nuget(run: TaskRun) -> None:
    """`NuGetAuthenticate@1`: feeds for NuGet's credential provider."""
    from sluice_packages._nuget import authenticate

    authenticate(run)


def authenticate_maven(run: TaskRun) -> None:
    """`MavenAuthenticate@0`: servers in Maven's settings, until the job ends."""
    from sluice_packages._maven import authenticate

    authenticate(run)


def authenticate_cargo(run: TaskRun) -> None:
    """`CargoAuthenticate@0`: tokens for Cargo."""
    from sluice_packages._cargo import authenticate

    authenticate(run)


def run_nuget(run: TaskRun) -> None:
    """`NuGetCommand@2`: restore, pack and push packages, or run any command of NuGet."""
    from sluice_packages._nuget_command import run_nuget

    run_nuget(run)


def run_dotnet(run: TaskRun) -> None:
    """`DotNetCoreCLI@2`: commands of `dotnet`, with the feeds of service connections."""
    from sluice_packages._dotnet import run_dotnet

    run_dotnet(run)


def run_maven(run: TaskRun) -> None:
    """`Maven@4`: goals of Maven; results of its tests become the run's."""
    from sluice_packages._maven_task import run_maven

    run_maven(run)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=TYPES,
        verify={kind.name: verifying(kind.name) for kind in TYPES},
        tasks=(
            Task(
                "npmAuthenticate@0",
                authenticate_npm,
                label="npm authenticate (for task runners)",
                summary="Provides npm credentials to an .npmrc file in your repository for the scope of the build",
            ),
            Task("Npm@1", run_npm, label="npm", summary="Install and publish npm packages, or run an npm command"),
            Task(
                "PipAuthenticate@1",
                authenticate_pip,
                label="Python pip authenticate",
                summary="Authentication task for the pip client used for installing Python distributions",
            ),
            Task(
                "TwineAuthenticate@1",
                authenticate_twine,
                label="Python twine upload authenticate",
                summary="Authenticate for uploading Python distributions using twine",
            ),
            Task(
                "NuGetAuthenticate@1",
                authenticate_nuget,
                label="NuGet authenticate",
                summary="Configure NuGet tools to authenticate with NuGet repositories",
            ),
            Task(
                "MavenAuthenticate@0",
                authenticate_maven,
                label="Maven Authenticate",
                summary="Provides credentials for external Maven repositories",
            ),
            Task(
                "NuGetCommand@2",
                run_nuget,
                label="NuGet",
                summary="Restore, pack, or push NuGet packages, or run a NuGet command",
            ),
            Task(
                "DotNetCoreCLI@2",
                run_dotnet,
                label=".NET Core",
                summary="Build, test, package, or publish a dotnet application, or run a custom dotnet command",
            ),
            Task("Maven@4", run_maven, label="Maven", summary="Build, test, and deploy with Apache Maven"),
            Task(
                "CargoAuthenticate@0",
                authenticate_cargo,
                label="Cargo authenticate (for task runners)",
                summary="Authentication task for the cargo client used for installing Cargo crates distribution",
            ),
        ),
    )
