from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.real.docker.conftest import Engine, Registry

from sluice.plugin import Connection
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task

pytestmark = pytest.mark.real

RunDocker = Callable[..., TaskOutcome]


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    (tmp_path / "src" / "app").mkdir(parents=True)
    (tmp_path / "src" / "app" / "Dockerfile").write_text(
        "FROM scratch\nARG COLOUR=red\nLABEL colour=$COLOUR\nCOPY file.txt /\n"
    )
    (tmp_path / "src" / "app" / "file.txt").write_text("hello\n")
    return tmp_path / "src"


@pytest.fixture
def docker(engine: Engine, sources: Path) -> RunDocker:
    def run(command: str, *connections: Connection, **inputs: str) -> TaskOutcome:
        return run_task(
            "Docker@2",
            inputs={"command": command, "tags": "7"} | inputs,
            connections={"containerRegistry": connections[0]} if connections else {},
            sources=sources,
            environment=engine.environment,
            variables={"Build.BuildId": "7", "Build.SourceVersion": "abc", "Build.DefinitionName": "app"},
        )

    return run


def test_an_image_is_built_with_its_tags_arguments_and_labels(docker: RunDocker, engine: Engine) -> None:
    outcome = docker(
        "build", repository="Team/My App", tags="7\nnewest,x", arguments='--build-arg COLOUR="deep blue" --label a=b'
    )
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert engine.has("team/myapp:7")
    assert engine.has("team/myapp:x")
    labels = engine.docker("image", "inspect", "--format", "{{json .Config.Labels}}", "team/myapp:newest")
    assert '"colour":"deep blue"' in labels
    assert '"a":"b"' in labels
    assert '"com.azure.dev.image.build.sourceversion":"abc"' in labels
    assert '"image.base.ref.name":"scratch"' in labels
    written = outcome.outputs["DockerOutput"]
    assert isinstance(written, str)
    assert Path(written).name.startswith("build_")
    assert outcome.progress


def test_an_image_is_pushed_to_the_registry_that_the_step_names(
    docker: RunDocker, engine: Engine, registry: Registry, evidence: Giver
) -> None:
    outcome = docker("buildAndPush", registry.connection(), repository="app", tags="7")
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert registry.password not in outcome.log
    assert "digest: sha256:" in outcome.log
    assert outcome.progress[-1][0] == 100
    engine.docker("image", "rm", f"{registry.host}/app:7")
    refused = docker("pull", arguments=f"{registry.host}/app:7")
    assert refused.result == Result.FAILED
    assert "failed with exit code 1: Error response from daemon:" in refused.message
    assert docker("pull", registry.connection(), arguments=f"{registry.host}/app:7").result == Result.SUCCEEDED
    evidence("dockerregistry", "UsernamePassword", "used", "docker-registry", task="Docker@2")


def test_a_wrong_password_fails_the_push_and_is_not_shown(docker: RunDocker, registry: Registry) -> None:
    outcome = docker("buildAndPush", registry.connection(password="wrong-7a21"), repository="app", tags="8")
    assert outcome.result == Result.FAILED
    assert "wrong-7a21" not in outcome.log + outcome.message


def test_a_dockerfile_is_found_by_its_name_alone(docker: RunDocker, sources: Path, engine: Engine) -> None:
    (sources / "app" / "Dockerfile").rename(sources / "app" / "Special.Dockerfile")
    outcome = docker("build", repository="special", Dockerfile="*.Dockerfile")
    assert outcome.result == Result.SUCCEEDED, outcome.message
    assert engine.has("special:7")
    assert "No Dockerfile matching" in docker("build", Dockerfile="**/Containerfile").message


def test_a_context_of_its_own_is_what_the_dockerfile_copies_from(docker: RunDocker, sources: Path) -> None:
    (sources / "other").mkdir()
    (sources / "other" / "file.txt").write_text("other\n")
    outcome = docker("build", repository="ctx", Dockerfile="app/Dockerfile", buildContext="other")
    assert outcome.result == Result.SUCCEEDED
    assert f"{sources}/other" in outcome.log


def test_buildkit_builds_where_the_command_line_has_it(engine: Engine, sources: Path) -> None:
    # Debian's own client has it within, others need a plug-in
    outcome = run_task(
        "Docker@2",
        inputs={"command": "build", "repository": "kit", "tags": "7"},
        sources=sources,
        environment={**engine.environment, "DOCKER_BUILDKIT": "1", "PATH": "/usr/bin:/bin"},
        variables={"Build.BuildId": "7"},
    )
    assert outcome.result == Result.SUCCEEDED, outcome.log
    assert "[internal] load build definition" in outcome.log
    assert engine.has("kit:7")


def test_containers_are_stopped_and_started_by_their_alias(
    docker: RunDocker, engine: Engine, sources: Path, busybox: str
) -> None:
    name = engine.docker("run", "-d", "--network", "none", busybox, "sleep", "600")
    try:
        for command, running in (("stop", "false"), ("start", "true")):
            outcome = run_task(
                "Docker@2",
                inputs={"command": command, "container": "db", "arguments": "-t 0" if command == "stop" else ""},
                sources=sources,
                environment=engine.environment,
                variables={"Agent.ContainerMapping": f'{{"db": {{"id": "{name}"}}}}'},
            )
            assert outcome.result == Result.SUCCEEDED, outcome.log
            assert engine.docker("inspect", "--format", "{{.State.Running}}", name) == running
    finally:
        engine.docker("rm", "-f", name)


def test_a_canceled_build_ends(engine: Engine, tmp_path: Path, busybox: str) -> None:
    (tmp_path / "Dockerfile").write_text(f"FROM {busybox}\nRUN echo begun && sleep 600\n")
    cancellation = Cancellation()

    def tell(line: str) -> None:
        if "Running in" in line:
            threading.Thread(target=cancellation.cancel).start()

    outcome = run_task(
        "Docker@2",
        inputs={"command": "build", "repository": "slow", "tags": "7", "addBaseImageData": "false"},
        sources=tmp_path,
        environment=engine.environment | {"DOCKER_BUILDKIT": "0"},
        variables={"Build.BuildId": "7"},
        cancellation=cancellation,
        tell=tell,
    )
    assert outcome.result == Result.CANCELED
