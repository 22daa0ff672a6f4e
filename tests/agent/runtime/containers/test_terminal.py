"""The Docker client that hands a terminal over: what is on its command line, and what is not."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sluice.errors import TaskFailedError
from sluice.runtime.containers.terminal import exec_with_terminal


def test_no_value_is_an_argument_and_the_clients_own_settings_stay(tmp_path: Path) -> None:
    client = tmp_path / "docker"
    client.write_text("#!/bin/sh\n")
    client.chmod(0o755)
    env = {
        "TOKEN": "s3cret\nof two lines",
        "PATH": "/in/side",
        "DOCKER_CONFIG": "/__w/docker",
        "a b": "x",
        "my.name": "y",
    }
    host = {"PATH": str(tmp_path), "DOCKER_HOST": "unix:///engine", "HOME": "/home/me"}
    arguments, environment = exec_with_terminal(
        "box", ("bash", "-i"), cwd="/__w/1/s", user="1:2", env=env, host=host, private=tmp_path
    )
    (kept,) = tmp_path.glob(".*.env")
    assert arguments == (
        *(str(client), "exec", "-it", "-u", "1:2", "-w", "/__w/1/s", "--env-file", str(kept)),
        *("box", "bash", "-i"),
    )
    assert kept.read_text().splitlines() == ["DOCKER_CONFIG=/__w/docker", "PATH=/in/side", "TOKEN", "my.name"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert environment == {**host, "TOKEN": env["TOKEN"], "my.name": "y"}


def test_without_the_client_it_is_told_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(TaskFailedError, match="needs the Docker client"):
        exec_with_terminal("box", ("sh",), cwd="/", user="1", env={}, host={"PATH": str(tmp_path)}, private=tmp_path)
