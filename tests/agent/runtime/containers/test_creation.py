from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sluice.errors import TaskFailedError
from sluice.runtime.containers.creation import JOB_LABEL, SOCKET, Surroundings, create_request, qualified
from sluice.runtime.containers.paths import mounts
from sluice.runtime.request import JobContainer

WORK = Path("/home/me/work")
AROUND = Surroundings(
    lookup="vsts_1",
    network="net",
    mounts=mounts(WORK, WORK / "7", WORK / "_temp" / "7-a", [Path("/tasks/a")]),
    unique="abc123",
    environ={},
)
BOX = JobContainer(alias="box", image="alpine:3")


def body(container: JobContainer, **options: bool) -> dict[str, Any]:
    return dict(create_request(container, container.image, AROUND, **options).body)


def test_the_container_of_a_job_waits_and_has_its_folders() -> None:
    request = create_request(replace(BOX, env={"A": "b=c"}), "alpine:3", AROUND)
    assert request.name == "box_alpine3_abc123"
    assert request.body["Cmd"][:2] == ["sh", "-c"]
    assert request.body["Env"] == ["A=b=c"]
    assert request.body["Labels"] == {JOB_LABEL: "vsts_1"}
    assert request.body["HostConfig"]["Binds"] == [
        "/home/me/work/7:/__w/1",
        "/home/me/work/_temp/7-a:/__w/_temp",
        "/home/me/work/_tool:/__t",
        "/tasks/a:/__w/_tasks/0:ro",
    ]
    assert request.body["NetworkingConfig"] == {"EndpointsConfig": {"net": {"Aliases": ["box"]}}}


def test_a_service_does_what_its_image_says_and_has_no_folders() -> None:
    service = replace(BOX, service="db", ports=("5432", "127.0.0.1:81:80/udp", "81:80"))
    found = body(service, targeted=False)
    assert "Cmd" not in found
    assert found["HostConfig"]["Binds"] == []
    assert found["ExposedPorts"] == {"5432/tcp": {}, "80/udp": {}, "80/tcp": {}}
    assert found["HostConfig"]["PortBindings"] == {
        "5432/tcp": [{"HostIp": "", "HostPort": ""}],
        "80/udp": [{"HostIp": "127.0.0.1", "HostPort": "81"}],
        "80/tcp": [{"HostIp": "", "HostPort": "81"}],
    }
    assert found["NetworkingConfig"]["EndpointsConfig"]["net"]["Aliases"] == ["db"]


def test_volumes_and_the_socket_are_mapped_when_they_are_asked_for() -> None:
    container = replace(
        BOX, volumes=("/a:/b:ro", "/anonymous"), docker_socket=True, read_only=frozenset({"work", "tools"})
    )
    found = body(container)
    binds = found["HostConfig"]["Binds"]
    assert binds[0] == "/a:/b:ro"
    assert "/home/me/work/7:/__w/1:ro" in binds
    assert "/home/me/work/_tool:/__t:ro" in binds
    assert "/home/me/work/_temp/7-a:/__w/_temp" in binds
    assert binds[-1] == f"{SOCKET}:{SOCKET}"
    assert found["Volumes"] == {"/anonymous": {}}
    assert not any(bind.startswith(SOCKET) for bind in body(BOX)["HostConfig"]["Binds"])


def test_options_choose_the_network_and_the_name() -> None:
    request = create_request(replace(BOX, options="--network host --name mine --platform linux/arm64"), "a", AROUND)
    assert (request.name, request.platform) == ("mine", "linux/arm64")
    assert request.body["HostConfig"]["NetworkMode"] == "host"
    assert "NetworkingConfig" not in request.body


@pytest.mark.parametrize("port", ["", "x", "1:2:3:4", "0", "70000", "80/icmp", "80:"])
def test_a_port_that_is_none_is_told(port: str) -> None:
    with pytest.raises(TaskFailedError, match="is no port"):
        create_request(replace(BOX, ports=(port,)), "a", AROUND)


@pytest.mark.parametrize(
    ("image", "registry", "name"),
    [
        ("team/app:1", "https://registry.example:5000/", "registry.example:5000/team/app:1"),
        ("registry.example/app", "registry.example", "registry.example/app"),
        ("other.example/app", "registry.example", "other.example/app"),
        ("alpine", "https://index.docker.io/v1/", "alpine"),
        ("alpine", "", "alpine"),
        ("localhost:5000/app", "r.example", "localhost:5000/app"),
    ],
)
def test_an_image_is_looked_for_at_the_registry_of_its_connection(image: str, registry: str, name: str) -> None:
    assert qualified(image, registry) == name
