"""Docker: connections to engines and registries, and the tasks `Docker@2` and `DockerCompose@1`."""

from __future__ import annotations

from sluice.plugin import Connection, Family, Task, TaskRun, hookimpl
from sluice_docker._types import HOST, REGISTRY


def verify_host(connection: Connection) -> str:
    """Ask the engine for its version, with the client certificate."""
    from sluice_docker._host import verify

    return verify(connection)


def verify_registry(connection: Connection) -> str:
    """Log in at the registry, as `docker login` does."""
    from sluice_docker._registry import verify

    return verify(connection)


def prepare_registry(connection: Connection) -> Connection:
    """Give a connection to Azure Container Registry the user name and the password of a log-in."""
    from sluice_docker._acr import prepare

    return prepare(connection)


def run_docker(run: TaskRun) -> None:
    """`Docker@2`: build, tag and push images, log in and out, start and stop containers."""
    from sluice_docker._docker_task import run_docker

    run_docker(run)


def run_older_docker(run: TaskRun) -> None:
    """`Docker@1`: log in and out."""
    from sluice_docker._docker_task import run_older_docker

    run_older_docker(run)


def run_compose(run: TaskRun) -> None:
    """`DockerCompose@1`: build, push or run the services of a Compose file."""
    from sluice_docker._compose_task import run_compose

    run_compose(run)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(HOST, REGISTRY),
        verify={HOST.name: verify_host, REGISTRY.name: verify_registry},
        prepare={REGISTRY.name: prepare_registry},
        tasks=(
            Task("Docker@1", run_older_docker, label="Docker", summary="Login or logout"),
            Task(
                "Docker@2",
                run_docker,
                label="Docker",
                summary="Build or push Docker images, login or logout, start or stop containers, or run a Docker command",
            ),
            Task(
                "DockerCompose@1",
                run_compose,
                label="Docker Compose",
                summary="Build, push or run multi-container Docker applications",
            ),
        ),
    )
