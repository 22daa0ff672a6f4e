from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.real.docker.conftest import Engine, FindProgram, Registry

from sluice.plugin import Connection
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task

pytestmark = pytest.mark.real

RunCompose = Callable[..., TaskOutcome]

FILE = """
version: "3"
services:
  app:
    build: .
    image: team/app:1
    network_mode: none
    environment:
      GREETING: $GREETING
    command: ["sh", "-c", "echo $$GREETING from compose"]
"""


@pytest.fixture
def sources(tmp_path: Path, busybox: str) -> Path:
    (tmp_path / "docker-compose.yml").write_text(FILE)
    (tmp_path / "Dockerfile").write_text(f"FROM {busybox}\n")
    return tmp_path


@pytest.fixture
def compose(engine: Engine, sources: Path, require_program: FindProgram) -> RunCompose:
    require_program("docker-compose", "apt-get install docker-compose")

    def run(action: str, *, on: dict[str, Connection] | None = None, **inputs: str) -> TaskOutcome:
        given = {
            "containerregistrytype": "Container Registry",
            "action": action,
            "cwd": str(sources),
            "projectName": "Team.Project 1",
        }
        return run_task(
            "DockerCompose@1",
            inputs=given | inputs,
            connections=on or {},
            sources=sources,
            # what compose asks of the engine it asks where the connection says, and only there
            environment=engine.environment
            | ({"DOCKER_HOST": "unix:///nowhere"} if on and "dockerHostEndpoint" in on else {}),
        )

    return run


def test_services_are_built_and_pushed_under_the_names_of_the_registry(
    compose: RunCompose, engine: Engine, registry: Registry, evidence: Giver
) -> None:
    on = {"dockerRegistryEndpoint": registry.connection()}
    built = compose("Build services", on=on, additionalImageTags="more", includeLatestTag="true")
    assert built.result == Result.SUCCEEDED, built.log
    for tag in ("1", "more", "latest"):
        assert engine.has(f"{registry.host}/team/app:{tag}")
    assert "'Team.Project 1' is no name for a Compose project: 'teamproject1' is taken." in built.messages("warning")
    pushed = compose("Push services", on=on, additionalImageTags="more")
    assert pushed.result == Result.SUCCEEDED, pushed.log
    assert pushed.log.count("digest: sha256:") == 2
    assert registry.password not in built.log + pushed.log
    assert isinstance(pushed.outputs["DockerComposeOutput"], str)
    evidence("dockerregistry", "UsernamePassword", "used", "docker-registry", task="DockerCompose@1")


def test_services_run_with_the_arguments_of_the_step(compose: RunCompose) -> None:
    outcome = compose(
        "Run services", dockerComposeFileArgs="GREETING=hello you", detached="false", abortOnContainerExit="true"
    )
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert "hello you from compose" in outcome.log
    down = compose("Run a Docker Compose command", dockerComposeCommand="down", arguments="--volumes")
    assert down.result == Result.SUCCEEDED, down.log


def test_a_service_runs_once_on_the_host_of_a_connection(compose: RunCompose, engine: Engine, evidence: Giver) -> None:
    outcome = compose(
        "Run a specific service",
        on={"dockerHostEndpoint": engine.connection()},
        serviceName="app",
        detached="false",
        containerCommand='echo "one  argument"',
    )
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert "one  argument" in outcome.lines
    assert "PRIVATE KEY" not in outcome.log
    evidence("dockerhost", "Certificate", "used", "Docker Engine", task="DockerCompose@1")


def test_a_file_that_is_missing_fails_unless_that_is_allowed(compose: RunCompose) -> None:
    missing = compose("Build services", dockerComposeFile="**/other.yml")
    assert "No Docker Compose file matching **/other.yml was found." in missing.message
    allowed = compose("Build services", dockerComposeFile="**/other.yml", nopIfNoDockerComposeFile="true")
    assert allowed.result == Result.SUCCEEDED


def test_what_is_not_supported_is_told(compose: RunCompose) -> None:
    assert "'Lock services' is not supported" in compose("Lock services").message


def test_a_compose_file_that_cannot_be_read_is_told(compose: RunCompose, sources: Path, registry: Registry) -> None:
    (sources / "docker-compose.yml").write_text("services: [\n")
    outcome = compose("Build services", on={"dockerRegistryEndpoint": registry.connection()})
    assert outcome.result == Result.FAILED
    assert "the Compose file cannot be read" in outcome.message
