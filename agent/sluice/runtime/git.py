"""Runs git: nothing of the person's set-up runs or is asked, and credentials travel in its environment only."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from urllib.parse import urlsplit

from sluice.errors import CanceledError, TaskFailedError
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.process import Sink, run_process
from sluice.runtime.remote import SSH, Remote
from sluice.values import dataclass

PROTOCOLS = "http:https"
"""What a server's answer, or a submodule, may make git speak: never a program, a file or the person's SSH keys."""

_ALWAYS = ("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "advice.detachedHead=false")
_ENVIRONMENT = {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_SMUDGE": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_KEPT = frozenset({"GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_PROXY_SSL_CAINFO"})
_SLOW = (("http.lowSpeedLimit", "1"), ("http.lowSpeedTime", "120"))
_REDIRECT = re.compile(r"error: 30[12378]\b|unable to update url base")
_MEANINGS = (
    (
        re.compile(
            r"error: 401\b|Authentication failed|could not read (Username|Password)|error: 407\b|Permission denied \(publickey"
        ),
        "{server} {refused}",
    ),
    (re.compile(r"error: 403\b"), "{server} knows who asks, but forbids the repository"),
    (
        re.compile(r"error: 404\b|repository .* not found|does not appear to be a git"),
        "there is no repository at {url}",
    ),
    (re.compile(r"Host key verification failed"), "{server} shows another host key than the connection's"),
    (_REDIRECT, "{server} sends to another place, where credentials are not sent"),
    (re.compile(r"certificate|SSL_ERROR|SSL routines|gnutls", re.IGNORECASE), "no trusted TLS connection to {server}"),
    (re.compile(r"Could not resolve"), "the host name of {server} was not resolved"),
    (re.compile(r"Failed to connect|Connection refused|Couldn't connect"), "{server} cannot be reached"),
    (re.compile(r"transport '.*' not allowed"), "the repository leads to an address that is not followed"),
)


class GitFailedError(TaskFailedError):
    """git ended with an error; its last words are the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Git:
    """How git is run for one purpose; with `remote` its server's credentials are at hand, for that origin alone."""

    environ: Mapping[str, str]
    cancellation: Cancellation
    cwd: Path
    remote: Remote | None = None
    more: Mapping[str, str] = field(default_factory=dict)
    private: Path | None = None
    """A folder of ours that goes by itself, for the key of a server that is spoken with over SSH; else one in `cwd`."""

    def __call__(self, *arguments: str, of: Path | None = None, may_fail: bool = False) -> str:
        """Run it in the folder `of`; answers what it printed.

        Raises `GitFailedError` unless it `may_fail`, and `CanceledError` when it was stopped.
        """
        code, printed, said = self.attempt(*arguments, of=of)
        if self.cancellation.canceled:
            raise CanceledError("git was stopped")
        if code and not may_fail:
            raise self._failed(arguments, code, said)
        return printed.decode("utf-8", "surrogateescape")

    def attempt(self, *arguments: str, of: Path | None = None) -> tuple[int, bytes, str]:
        """Exit code, output and error output."""
        pieces: list[bytes] = []
        errors: list[bytes] = []
        place = ("-C", os.fspath(of)) if of is not None else ()
        environ = self.environ if self.remote is None else remote_environment(self.environ, self.remote)
        with over_ssh(self.remote, self.private or self.cwd) as ssh:
            end = run_process(
                ("git", *_ALWAYS, *place, *arguments),
                cwd=self.cwd,
                env={**environ, **_ENVIRONMENT, **self.more, **ssh},
                output=collect(pieces),
                errors=collect(errors),
                cancellation=self.cancellation,
            )
        return end.code, b"".join(pieces), b"".join(errors).decode("utf-8", "replace").strip()

    def _failed(self, arguments: Sequence[str], code: int, said: str) -> GitFailedError:
        why = printable(said)
        meaning = explain(said, self.remote) if self.remote is not None else ""
        if meaning:
            return GitFailedError(meaning, why=why.splitlines()[-1] if why else "")
        arguments = [one for one in arguments if not one.startswith(("--git-dir=", "--work-tree="))]
        return GitFailedError(f"git {arguments[0]} failed with exit code {code}", why=why)


def explain(said: str, remote: Remote) -> str:
    """What git's words about a server mean; '' when they are about something else."""
    known = remote.login.authorization or remote.login.key
    refused = "does not accept the credentials" if known else "wants credentials"
    for pattern, text in _MEANINGS:
        if pattern.search(said):
            return text.format(server=remote.origin, url=remote.url, refused=refused)
    return ""


def remote_environment(environ: Mapping[str, str], remote: Remote) -> dict[str, str]:
    """The environment of a git that speaks with a server.

    The credentials are a header for the server's origin. What could lead them elsewhere is off: redirects, stored
    credentials and their helpers, questions to the person, the person's settings (the system's count, and proxies
    from the environment), and all other variables of git.
    """
    found = {
        name: value
        for name, value in environ.items()
        if (not name.startswith("GIT_") or name in _KEPT) and name != "SSH_ASKPASS"
    }
    found["GIT_ALLOW_PROTOCOL"] = PROTOCOLS if remote.login.key is None else SSH
    # A step may have written into the person's settings what leads credentials elsewhere, or a program to give them to.
    found["GIT_CONFIG_GLOBAL"] = os.devnull
    found["GIT_NO_REPLACE_OBJECTS"] = "1"
    settings = list(_settings(remote))
    for index, (key, value) in enumerate(settings):
        found[f"GIT_CONFIG_KEY_{index}"] = key
        found[f"GIT_CONFIG_VALUE_{index}"] = value
    found["GIT_CONFIG_COUNT"] = str(len(settings))
    return found


def _settings(remote: Remote) -> Iterator[tuple[str, str]]:
    yield "credential.helper", ""
    yield "core.askPass", ""
    yield from _SLOW
    authorization = remote.login.authorization
    yield "http.followRedirects", "initial" if authorization is None else "false"
    if authorization is not None:
        yield f"http.{remote.origin}/.extraHeader", ""
        yield f"http.{remote.origin}/.extraHeader", f"Authorization: {authorization.reveal()}"
    if remote.login.trust_any_certificate:
        yield f"http.{remote.origin}/.sslVerify", "false"


@contextlib.contextmanager
def over_ssh(remote: Remote | None, folder: Path) -> Iterator[Mapping[str, str]]:
    """What git needs for a server that it speaks with over SSH: a key, and what the server has to show, in private files.

    The person's own keys, agent, settings and known hosts do not count.
    """
    if remote is None or remote.login.key is None:
        yield {}
        return
    parts = urlsplit(remote.url)
    host = parts.hostname or ""
    known = f"[{host}]:{parts.port}" if parts.port not in {None, 22} else host
    with tempfile.TemporaryDirectory(prefix=".git-ssh-", dir=folder, ignore_cleanup_errors=True) as name:
        key, hosts = Path(name) / "key", Path(name) / "known_hosts"
        _write_private(key, remote.login.key.reveal().rstrip("\n") + "\n")
        _write_private(hosts, "".join(f"{known} {one}\n" for one in remote.login.host_keys))
        options = {
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "BatchMode": "yes",
            "UserKnownHostsFile": os.fspath(hosts),
            "GlobalKnownHostsFile": "/dev/null",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": "20",
        }
        command = ["ssh", "-F", "/dev/null", "-l", remote.login.username or "git", "-i", os.fspath(key)]
        for option, value in options.items():
            command += ["-o", f"{option}={value}"]
        yield {"GIT_SSH_COMMAND": shlex.join(command), "GIT_SSH_VARIANT": "ssh"}


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)


def write_settings(folder: Path, remote: Remote) -> Path:
    """The header as a file of git settings (0600) in a private folder, for the git of later steps to include."""
    text = "".join(
        f'[http "{remote.origin}/"]\n\t{key.rpartition(".")[2]} = {_quoted(value)}\n'
        for key, value in _settings(remote)
        if key.startswith(f"http.{remote.origin}/.") and value
    )
    fd, name = tempfile.mkstemp(prefix="git-credentials-", suffix=".config", dir=folder)  # mkstemp makes it 0600
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        file.write(text)
    return Path(name)


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def collect(pieces: list[bytes]) -> Sink:
    """Keeps what a process prints."""
    return Sink(feed=pieces.append, idle=lambda: None, waiting=lambda: False)


def printable(text: str) -> str:
    """Words of a program or of a far side, without what could steer a terminal."""
    return "".join(one for one in text if one.isprintable() or one == "\n")[-2000:].strip()
