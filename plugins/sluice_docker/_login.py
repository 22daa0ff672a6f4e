"""What a registry connection logs in with: the registry's address, a user name and a password."""

from __future__ import annotations

from dataclasses import dataclass

from sluice.plugin import Connection, Secret, TaskFailedError
from sluice_docker._types import DOCKER_HUB

HUB_HOSTS = frozenset({"index.docker.io", "docker.io", "registry-1.docker.io", "registry.hub.docker.com"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """A login. `registry` is spelt as in `auths` of Docker's configuration file; `url` is where its API answers."""

    registry: str
    url: str
    host: str
    username: str
    password: Secret

    @property
    def is_hub(self) -> bool:
        """Docker Hub: its images have no host in their names."""
        return self.host in HUB_HOSTS

    def qualified(self, repository: str) -> str:
        """The name of a repository at this registry."""
        return repository if self.is_hub or repository.startswith(f"{self.host}/") else f"{self.host}/{repository}"


def login_of(connection: Connection) -> RegistryLogin:
    """The login of a prepared connection; raises `TaskFailedError` when it has no password."""
    registry = connection.text("registry") or connection.text("loginServer").lower() or DOCKER_HUB
    password = connection.secret("password")
    if password is None:
        raise TaskFailedError(
            "the connection has no password", where=connection.name, do=f"sluice connection update {connection.name}"
        )
    host = host_of(registry)
    hub = host in HUB_HOSTS
    scheme = "http" if registry.startswith("http://") else "https"
    return RegistryLogin(
        registry=DOCKER_HUB if hub else registry,
        url="https://registry-1.docker.io" if hub else f"{scheme}://{host}",
        host=host,
        username=connection.text("username"),
        password=password,
    )


def host_of(registry: str) -> str:
    """The host, and the port if there is one, of a registry's address, with or without a scheme."""
    return registry.partition("://")[2].partition("/")[0] if "://" in registry else registry.partition("/")[0]
