"""`Docker@2` in a whole run: several registries, log-ins that are the job's own, nothing on a command line."""

from __future__ import annotations

import contextlib
import subprocess
from pathlib import Path

import pytest
from tests.real.docker.conftest import Engine, Person, Registry
from tests.real.docker.test_container_jobs import command_lines

pytestmark = pytest.mark.real

EXAMPLE = Path(__file__).parents[3] / "examples" / "docker"

PIPELINE = """
    steps:
    - task: Docker@2
      inputs:
        command: login
        containerRegistry: one
    - task: Docker@2
      inputs:
        command: login
        containerRegistry: two
    - task: Docker@2
      name: built
      inputs:
        command: buildAndPush
        repository: team/app
        tags: |
          $(Build.BuildId)
          latest
    - bash: |
        set -e
        echo "config $DOCKER_CONFIG"
        grep -o '127.0.0.1:[0-9]*' $DOCKER_CONFIG/config.json
        echo "$(built.DockerOutput)" | xargs cat | grep 'digest: sha256'
    - task: Docker@2
      inputs:
        command: logout
        containerRegistry: one
    - bash: test $(grep -c '127.0.0.1' $DOCKER_CONFIG/config.json) = 1
"""


def test_an_image_goes_to_every_registry_that_the_job_has_logged_in_to(
    person: Person, engine: Engine, registries: tuple[Registry, Registry], tmp_path: Path
) -> None:
    for name, registry in zip(("one", "two"), registries, strict=True):
        person.connect(registry, name)
    person.write(PIPELINE)
    (person.folder / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    seen = b""
    with person.start("run", "--permit", "one", "--permit", "two", "--non-interactive") as process:
        while process.poll() is None:
            seen += command_lines()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
        text = process.stdout.read() if process.stdout is not None else ""
    assert process.returncode == 0, text
    for registry in registries:
        assert text.count(f"docker push {registry.host}/team/app:") == 2
        assert registry.password.encode() not in seen
        assert registry.password not in text
        engine.docker("image", "rm", f"{registry.host}/team/app:1", f"{registry.host}/team/app:latest")
    config = Path(next(line for line in text.splitlines() if line.startswith("config ")).removeprefix("config "))
    assert person.home in config.parents
    assert not config.exists()
    assert not (tmp_path / ".docker").exists()


def test_the_example_builds_pushes_and_tests_an_image(
    person: Person, engine: Engine, registry: Registry, busybox: str
) -> None:
    for file in EXAMPLE.iterdir():
        text = file.read_text().replace("https://registry.example.org", f"https://{registry.host}")
        (person.folder / file.name).write_text(text)
    person.environment["TEAM_REGISTRY_PASSWORD"] = registry.password
    person.sluice("connection", "apply", "connections.yml")
    text = person.sluice("run", "--permit", "team-registry", "--parameter", f"base={busybox}", "--non-interactive")
    assert "web service is healthy." in text
    assert "<p>Hello from a container</p>" in text
    assert registry.password not in text
    assert not person.containers()
