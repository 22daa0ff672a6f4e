"""A Docker host: the address and the files that clients of the engine get, and the try of a connection."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sluice.plugin import Connection, TaskFailedError, VerificationError

if TYPE_CHECKING:
    import docker

_FILES = {"cacert": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
_SECONDS = 20
_ANY_VERSION = "1.44"
"""Not asked for: it keeps the library from asking the engine before it is told whom to trust."""


@contextlib.contextmanager
def host_environment(connection: Connection, temp: Path | None, path: str) -> Iterator[Mapping[str, str]]:
    """Environment variables that lead `docker` to the host; keys lie in private files for as long as this lasts.

    `path` is the `PATH` that the command gets.
    """
    with tempfile.TemporaryDirectory(prefix="docker-host-", dir=temp) as name:
        folder = Path(name)
        if urlsplit(connection.url).scheme == "ssh":
            yield _over_ssh(connection, folder, path)
        else:
            _write_certificates(connection, folder)
            address = connection.url.replace("https://", "tcp://", 1)
            yield {"DOCKER_HOST": address, "DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": name}


def verify(connection: Connection) -> str:
    """Ask the engine for its version."""
    with host_environment(connection, None, os.environ.get("PATH", os.defpath)) as environment:
        if environment["DOCKER_HOST"].startswith("ssh://"):
            return _version_over_ssh(connection, environment)
        return _version(connection, environment)


def _write_certificates(connection: Connection, folder: Path) -> None:
    for key, name in _FILES.items():
        secret = connection.secret(key)
        if not secret:
            raise TaskFailedError(
                f"the connection has no '{key}'",
                where=connection.name,
                do=f"sluice connection update '{connection.name}' --secret {key}=@{name}",
            )
        _write(folder / name, secret.reveal())


def _over_ssh(connection: Connection, folder: Path, path: str) -> Mapping[str, str]:
    """An `ssh` in front of the others, which knows the key and the host: `docker` itself has no setting for them."""
    key = connection.secret("privatekey")
    known = connection.text("knownhosts")
    ssh = shutil.which("ssh", path=path)
    if not key or not known:
        raise TaskFailedError("ssh:// needs a private key and known hosts", where=connection.name)
    if ssh is None:
        raise TaskFailedError("ssh is not installed", where=connection.name, do="apt-get install openssh-client")
    _write(folder / "key", key.reveal().rstrip("\n") + "\n")
    _write(folder / "known_hosts", known.rstrip("\n") + "\n")
    options = ["-F", "/dev/null", "-i", str(folder / "key"), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    options += ["-o", f"UserKnownHostsFile={folder / 'known_hosts'}", "-o", "StrictHostKeyChecking=yes"]
    programs = folder / "bin"
    programs.mkdir(mode=0o700)
    _write(programs / "ssh", f'#!/bin/sh\nexec {shlex.join([ssh, *options])} "$@"\n', mode=0o700)
    return {"DOCKER_HOST": connection.url, "PATH": f"{programs}{os.pathsep}{path}"}


def _version(connection: Connection, environment: Mapping[str, str]) -> str:
    from docker.errors import DockerException

    client: docker.DockerClient | None = None
    try:
        client = _client(environment)
        # a bundle of authorities in the environment would stand before the connection's own
        client.api.trust_env = False
        answer = client.version(api_version=False)
    except (DockerException, OSError, ValueError) as error:  # errors of its HTTP library are errors of the system, too
        raise _refused(connection, str(error)) from None
    finally:
        if client is not None:
            client.close()
    return f"Docker engine {answer.get('Version', '?')} at {connection.url}, API {answer.get('ApiVersion', '?')}"


def _refused(connection: Connection, text: str) -> VerificationError:
    """What the library's text tells, which is all that it has of the reason."""
    known = text.casefold()
    if "certificate_verify_failed" in known:
        what = "the engine's certificate is not signed by the connection's CA, or not for this address"
        return _refusal(connection, what, "")
    if "wrong_version_number" in known or "record layer failure" in known:
        return _refusal(connection, f"what answers at {connection.url} does not speak TLS", "")
    # Its own certificate was all right: a refusal of the client's may come as an alert, or as an end without a word.
    if any(one in known for one in ("ssl", "reset by peer", "broken pipe", "closed connection", "connection aborted")):
        return _refusal(connection, "the engine does not accept the client certificate", "")
    reasons = ("Connection refused", "Name or service not known", "timed out", "No route to host")
    if why := next((one for one in reasons if one in text), ""):
        return _refusal(connection, f"nothing answers at {connection.url}", why)
    return _refusal(connection, f"there is no Docker engine at {connection.url}", "")


def _client(environment: Mapping[str, str]) -> docker.DockerClient:
    import docker
    from docker.tls import TLSConfig

    folder = environment["DOCKER_CERT_PATH"]
    tls = TLSConfig(client_cert=(f"{folder}/cert.pem", f"{folder}/key.pem"), ca_cert=f"{folder}/ca.pem", verify=True)
    return docker.DockerClient(base_url=environment["DOCKER_HOST"], tls=tls, timeout=_SECONDS, version=_ANY_VERSION)


def _version_over_ssh(connection: Connection, environment: Mapping[str, str]) -> str:
    import subprocess

    docker = shutil.which("docker")
    if docker is None:
        raise _refusal(connection, "docker is not installed, which ssh:// needs", "")
    try:
        done = subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise _refusal(connection, f"{connection.url} did not answer in time", "") from None
    if done.returncode:
        why = " ".join(done.stderr.split())[-300:]
        raise _refusal(connection, f"there is no Docker engine at {connection.url}", why)
    return f"Docker engine {done.stdout.strip()} at {connection.url}"


def _write(path: Path, text: str, mode: int = 0o600) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(fd, "w") as file:
        file.write(text)


def _refusal(connection: Connection, what: str, why: str) -> VerificationError:
    return VerificationError(what, where=connection.name, why=why)
