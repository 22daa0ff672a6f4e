"""The Docker engine, through its API: nothing of what it is given is on a command line."""

from __future__ import annotations

import contextlib
import io
import socket
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from sluice.errors import SluiceError
from sluice.runtime.containers.creation import JOB_LABEL, CreateRequest
from sluice.secret import Secret
from sluice.values import dataclass

if TYPE_CHECKING:
    import docker

MIN_API = (1, 35)
"""The oldest API that the agent takes, too."""

SETTINGS = ("DOCKER_HOST", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")
"""What says where the engine is, as for the command line."""

SECONDS = 120
DEFAULT = "unix:///var/run/docker.sock"
_INSTALL = "install Docker (https://docs.docker.com/engine/install/; Debian: apt-get install docker.io), or start it"


class EngineError(SluiceError):
    """The Docker engine is not there, or says no."""

    reference = "docker-engine"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """What an image is pulled with."""

    registry: str
    username: str
    password: Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """What the engine knows of a container: `health` is '' without a check, `ports` are `inner -> host`."""

    running: bool
    health: str
    status: str
    exit_code: int
    path: str
    labels: Mapping[str, str]
    ports: Mapping[str, str]


class Engine:
    """A Docker engine. Its methods raise `EngineError`."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client
        self.api = client.api

    @classmethod
    def connect(cls, environ: Mapping[str, str]) -> Engine:
        """The engine that the environment names, or the one of this machine."""
        import docker

        where = environ.get("DOCKER_HOST", "") or DEFAULT
        settings = {name: environ[name] for name in SETTINGS if environ.get(name)}
        try:
            _try_socket(where)
            version = _asked(settings)
            client = docker.from_env(environment=settings, timeout=SECONDS, version=version)
        except Exception as error:  # noqa: BLE001  # whatever the library makes of a missing socket or a wrong address
            why = getattr(error, "strerror", None) or _first_line(error) or type(error).__name__
            raise EngineError(f"there is no Docker engine at {where}", why=why, do=_INSTALL) from None
        client.api.trust_env = False
        engine = cls(client)
        if tuple(int(part) for part in version.split(".")) < MIN_API:
            client.close()
            raise EngineError(
                f"the Docker engine at {where} is too old", why=f"its API is {version}, not 1.35 or newer"
            )
        return engine

    def close(self) -> None:
        self._client.close()

    def version(self) -> str:
        with told("asking the engine"):
            answer = self.api.version()
        return f"Docker {answer.get('Version', '?')}, API {answer.get('ApiVersion', '?')}"

    def has_image(self, image: str) -> bool:
        from docker.errors import ImageNotFound

        with told(f"looking for the image {image}"):
            try:
                self.api.inspect_image(image)
            except ImageNotFound:
                return False
        return True

    def pull(self, image: str, login: RegistryLogin | None, platform: str = "") -> Iterator[Mapping[str, Any]]:
        """Pull an image; what the engine tells of each layer as it goes. The log-in is in a header of the request."""
        name, tag = _tagged(image)
        auth = None
        if login is not None:
            auth = {
                "username": login.username,
                "password": login.password.reveal(),
                "serveraddress": login.registry,
            }
        with told(f"pulling {image}"):
            stream = self.api.pull(name, tag=tag, stream=True, decode=True, auth_config=auth, platform=platform or None)
            for event in stream:
                if "error" in event:
                    raise EngineError(f"pulling {image} failed", why=str(event["error"]))
                yield event

    def create_network(self, name: str, lookup: str) -> None:
        with told(f"creating the network {name}"):
            self.api.create_network(name, labels={JOB_LABEL: lookup})

    def create(self, request: CreateRequest) -> str:
        """Create a container and answer its id."""
        with told(f"creating the container {request.name}"):
            if request.platform:
                answer = self.api.create_container_from_config(dict(request.body), request.name, request.platform)
            else:
                answer = self.api.create_container_from_config(dict(request.body), request.name)
            return str(answer["Id"])

    def start(self, container: str, name: str) -> None:
        with told(f"starting the container {name}"):
            self.api.start(container)

    def inspect(self, container: str) -> Inspected:
        with told("looking at a container"):
            found = self.api.inspect_container(container)
        state, config = found.get("State") or {}, found.get("Config") or {}
        env = dict(one.partition("=")[::2] for one in config.get("Env") or ())
        ports = (found.get("NetworkSettings") or {}).get("Ports") or {}
        return Inspected(
            running=bool(state.get("Running")),
            health=str((state.get("Health") or {}).get("Status") or ""),
            status=str(state.get("Status") or ""),
            exit_code=int(state.get("ExitCode") or 0),
            path=env.get("PATH", ""),
            labels=config.get("Labels") or {},
            ports={inner: str(bound[0]["HostPort"]) for inner, bound in ports.items() if bound},
        )

    def logs(self, container: str) -> bytes:
        """The end of what a container has written."""
        with told("reading the log of a container"):
            return bytes(self.api.logs(container, tail=100))

    def read_file(self, container: str, path: str) -> str | None:
        """A small file of a container; None when it is not there."""
        from docker.errors import NotFound

        with told(f"reading {path} of a container"):
            try:
                chunks, _ = self.api.get_archive(container, path)
            except NotFound:
                return None
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as tar:
                entry = next(iter(tar), None)
                file = tar.extractfile(entry) if entry is not None and entry.isfile() else None
                return file.read().decode("utf-8", "replace") if file is not None else ""

    def unpack(self, container: str, archive: bytes) -> None:
        with told("writing into a container"):
            self.api.put_archive(container, "/", archive)

    def ask(self, container: str, arguments: Sequence[str], user: str = "") -> tuple[int, str]:
        """Run a short command in a container: its status and what it writes."""
        with told("running a command in a container"):
            made = self.api.exec_create(container, list(arguments), user=user)
            output = self.api.exec_start(made["Id"])
            status = self.api.exec_inspect(made["Id"])["ExitCode"]
        return int(status if status is not None else 1), bytes(output).decode("utf-8", "replace").strip()

    def remove_all(self, lookup: str) -> None:
        """Remove everything that belongs to a job: containers with their volumes, then networks."""
        labels = {"label": f"{JOB_LABEL}={lookup}"}
        with told("removing the containers of a job"):
            for container in self.api.containers(all=True, filters=labels):
                _unless_gone(partial(self.api.remove_container, container["Id"], v=True, force=True))
            for network in self.api.networks(filters=labels):
                _unless_gone(partial(self.api.remove_network, network["Id"]))


def _try_socket(address: str) -> None:
    """Raise `OSError` where nobody listens: the library would leave its own socket open."""
    if address.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as one:
            one.settimeout(SECONDS)
            one.connect(address.removeprefix("unix://"))


def _asked(settings: Mapping[str, str]) -> str:
    """The version of the API that the engine speaks.

    Certificates that the settings name count, not a bundle that the environment has for the web.
    """
    import docker

    with contextlib.closing(docker.from_env(environment=dict(settings), timeout=SECONDS, version="1.44")) as client:
        client.api.trust_env = False
        return str(client.version(api_version=False)["ApiVersion"])


def _unless_gone(remove: Callable[[], object]) -> None:
    """Somebody may remove the same thing at the same moment."""
    from docker.errors import APIError, NotFound

    try:
        remove()
    except NotFound:
        pass
    except APIError as error:
        if error.status_code != 409 or "already in progress" not in str(error.explanation):
            raise


@contextmanager
def told(doing: str) -> Iterator[None]:
    """What the library raises as an error of ours."""
    from docker.errors import DockerException

    try:
        yield
    except (DockerException, OSError) as error:  # what its HTTP library raises are errors of the system, too
        raise EngineError(f"{doing} failed", why=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "explanation", None) or error)
    return text.strip().partition("\n")[0][:500]


def _tagged(image: str) -> tuple[str, str | None]:
    """Name and tag (or digest) for the API; without either the tag is `latest`, never all there are."""
    name, separator, digest = image.partition("@")
    if separator:
        return name, digest
    name, separator, tag = image.rpartition(":")
    return (name, tag) if separator and "/" not in tag else (image, "latest")
