from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from sluice.plugin import Connection, Secret, TaskFailedError
from sluice.runtime.request import Result
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_docker._config import DockerConfig
from sluice_docker._login import login_of


def registry(host: str, password: str = "pw-93d1") -> Connection:
    return Connection(
        id=host,
        name=host,
        type="dockerregistry",
        scheme="UsernamePassword",
        parameters={"registry": host, "username": "me", "password": Secret(password)},
    )


def docker(folder: Path, command: str, *connections: Connection) -> TaskOutcome:
    given = {"containerRegistry": connections[0]} if connections else {}
    return run_task("Docker@2", inputs={"command": command}, connections=given, environment={"PATH": str(folder)})


def test_the_file_of_log_ins_is_private_and_keeps_several(tmp_path: Path) -> None:
    config = DockerConfig(tmp_path / "docker")
    config.add(login_of(registry("https://one.example")))
    config.add(login_of(registry("")))
    assert config.registries() == ("https://one.example", "https://index.docker.io/v1/")
    path = tmp_path / "docker" / "config.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    with config.copied(tmp_path) as copy:
        assert copy.remove("https://one.example")
        assert not copy.remove("https://one.example")
    assert not copy.folder.exists()
    assert len(config.registries()) == 2
    config.clear()
    assert config.registries() == ()


def test_a_broken_configuration_is_told(tmp_path: Path) -> None:
    for content in ("{", "[]", json.dumps({"auths": 1})):
        (tmp_path / "config.json").write_text(content)
        with pytest.raises(TaskFailedError, match="Docker's configuration"):
            DockerConfig(tmp_path).registries()


def test_a_log_in_is_told_and_shows_no_password(tmp_path: Path) -> None:
    outcome = docker(tmp_path, "login", registry("https://one.example"))
    assert outcome.result == Result.SUCCEEDED
    assert outcome.lines == ["Logged in to one.example as me, for this job alone."]
    told = outcome.variables["DOCKER_CONFIG"]
    assert isinstance(told, str)
    assert told.endswith("/.tools/docker")


def test_a_log_in_needs_a_registry(tmp_path: Path) -> None:
    assert "Input required: containerRegistry" in docker(tmp_path, "login").message
    assert docker(tmp_path, "logout").lines == ["Logged out of all registries."]


def test_the_older_task_logs_in_and_out_and_nothing_else() -> None:
    def older(command: str, kind: str = "Container Registry") -> TaskOutcome:
        return run_task(
            "Docker@1",
            inputs={"command": command, "containerregistrytype": kind},
            connections={"dockerRegistryEndpoint": registry("https://one.example")},
        )

    assert older("login").lines == ["Logged in to one.example as me, for this job alone."]
    assert older("logout").lines == ["This job has not logged in to one.example."]
    assert "'Build an image' of Docker@1 is not supported" in older("Build an image").message
    assert "Azure subscriptions are not used" in older("login", "Azure Container Registry").message


def test_the_path_has_to_have_docker(tmp_path: Path) -> None:
    assert "Unable to locate executable file: 'docker'" in docker(tmp_path, "build").message
