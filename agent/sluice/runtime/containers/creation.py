"""The request that creates a container of a job. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sluice.errors import TaskFailedError
from sluice.runtime.containers.options import Creation, read_options
from sluice.runtime.containers.paths import Mount
from sluice.runtime.request import JobContainer
from sluice.values import dataclass

SOCKET = "/var/run/docker.sock"
JOB_LABEL = "io.sluice.job"
"""The label of everything that belongs to a job: its value is the job's look-up id."""

WAIT_FOREVER = ("sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 86400 & wait $!; done")
"""What a container that steps run in does by itself. A shell, so that it also reaps what they leave behind."""

_PORT = re.compile(
    r"(?:(?:(?P<ip>\[[0-9a-fA-F:]+\]|[0-9.]+):)?(?P<host>[0-9]{1,5})?:)?(?P<inner>[0-9]{1,5})(?:/(?P<kind>tcp|udp|sctp))?\Z"
)
_UNSAFE = re.compile(r"[^a-zA-Z0-9_.-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateRequest:
    """What the engine is asked for."""

    name: str
    body: Mapping[str, Any]
    platform: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all containers of a job share. `unique` is a few letters that no other container's name has."""

    lookup: str
    network: str
    mounts: Sequence[Mount]
    unique: str
    environ: Mapping[str, str]


def create_request(
    container: JobContainer, image: str, around: Surroundings, *, targeted: bool = True
) -> CreateRequest:
    """The request for a container, its macros replaced already; raises `TaskFailedError` for what cannot be read.

    A service does what its image says and has no folders of the job unless steps run in it, too; any other container
    waits for steps.
    """
    asked = read_options(container.options, around.environ)
    ports = [*container.ports, *asked.ports]
    host = dict(asked.host)
    binds, anonymous = _volumes([*container.volumes, *asked.volumes])
    if targeted:
        binds += [f"{one.host}:{one.container}{':ro' if one.read_only else ''}" for one in _mounts(container, around)]
    if container.docker_socket:
        binds.append(f"{SOCKET}:{SOCKET}")
    host["Binds"] = binds
    host["PortBindings"] = _bindings(ports)
    host["NetworkMode"] = asked.network or around.network
    env = {**asked.env, **container.env}
    body: dict[str, Any] = {
        **asked.config,
        "Image": image,
        "Env": [f"{name}={value}" for name, value in env.items()],
        "ExposedPorts": {port: {} for port in host["PortBindings"]},
        "Volumes": {path: {} for path in anonymous},
        "Labels": {**asked.config.get("Labels", {}), JOB_LABEL: around.lookup},
        "HostConfig": host,
    }
    if not container.service:
        body["Cmd"] = list(WAIT_FOREVER)
    if not asked.network and around.network:
        body["NetworkingConfig"] = {"EndpointsConfig": {around.network: {"Aliases": _aliases(container, asked)}}}
    safe = _UNSAFE.sub("", f"{container.service or container.alias}_{image.rpartition('/')[2].replace(':', '')}")
    name = asked.name or f"{safe.lstrip('_.-')[:60] or 'container'}_{around.unique}"
    return CreateRequest(name=name, body=body, platform=asked.platform)


def _mounts(container: JobContainer, around: Surroundings) -> Iterable[Mount]:
    chosen = {name.casefold() for name in container.read_only}
    for one in around.mounts:
        yield Mount(one.host, one.container, one.kind, read_only=one.read_only or one.kind in chosen)


def _aliases(container: JobContainer, asked: Creation) -> list[str]:
    return list(dict.fromkeys([container.service or container.alias, *asked.aliases]))


def _volumes(written: Iterable[str]) -> tuple[list[str], list[str]]:
    """Volumes with a source, and those without: `source:target[:options]`, or `target`."""
    binds, anonymous = [], []
    for volume in map(str.strip, written):
        if ":" in volume:
            binds.append(volume)
        elif volume:
            anonymous.append(volume)
    return binds, anonymous


def _bindings(written: Iterable[str]) -> dict[str, list[dict[str, str]]]:
    """Ports as the API has them: `inner`, `host:inner` or `ip:host:inner`, each with `/udp` or `/tcp`."""
    found: dict[str, list[dict[str, str]]] = {}
    for port in map(str.strip, written):
        parts = _PORT.match(port)
        if parts is None or any(int(parts[key] or 1) not in range(1, 65536) for key in ("host", "inner")):
            raise TaskFailedError(f"'{port}' is no port of a container", do="write INNER, HOST:INNER or IP:HOST:INNER")
        inner = f"{parts['inner']}/{parts['kind'] or 'tcp'}"
        found.setdefault(inner, []).append({"HostIp": (parts["ip"] or "").strip("[]"), "HostPort": parts["host"] or ""})
    return found


def qualified(image: str, registry: str) -> str:
    """An image with the host of its connection's registry in front, unless it has one; Docker Hub has none."""
    host = registry.partition("://")[2] if "://" in registry else registry
    host = host.partition("/")[0].lower()
    first, separator, _ = image.partition("/")
    if not host or host.endswith("docker.io") or (separator and (first == host or "." in first or ":" in first)):
        return image
    return f"{host}/{image}"
