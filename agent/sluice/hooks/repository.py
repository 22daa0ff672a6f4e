"""Where the repositories of a pipeline are, and how their servers know who asks: what a plugin says of its connections."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Literal

from sluice.hooks.connection import Connection
from sluice.secret import Secret
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRepository:
    """An entry of `resources.repositories`: its `type` in lower case, its `name` as written (`owner/repo`)."""

    type: str
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Who asks a repository's server.

    Over HTTP that is Basic authentication with user name and password, or the `header` (a whole value of
    `Authorization`) where there is one. With `trust_any_certificate` the server's certificate is not checked. Over SSH it
    is the user name and the private `key` (OpenSSH or PEM, without passphrase); the server has to show one of `host_keys`
    (public keys, `type base64` each).
    """

    username: str = ""
    password: Secret | None = None
    header: Secret | None = None
    trust_any_certificate: bool = False
    key: Secret | None = None
    host_keys: tuple[str, ...] = ()

    @property
    def authorization(self) -> Secret | None:
        """The value of the `Authorization` header; None for nobody."""
        if self.header is not None:
            return self.header
        if self.key is not None:
            return None
        return basic(self.username, self.password) if self.username or self.password else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RepositoryRule:
    """How connections of one type open repositories. Its functions ask nobody: they only put texts together.

    `types` are the repository types (of `resources.repositories`) that the connection is good for. `url` is the
    address to clone from, without user name or password; it raises `SluiceError` for a name that makes none. `public`
    is the address for a repository that names no connection, None where there is no such thing. `tool` is the program
    that speaks with the server, `provider` the value of `Build.Repository.Provider`.
    """

    types: tuple[str, ...]
    url: Callable[[SourceRepository, Connection], str]
    login: Callable[[Connection], Login]
    public: Callable[[SourceRepository], str] | None = None
    tool: Literal["git", "svn"] = "git"
    provider: str = "Git"


def basic(username: str, password: Secret | None) -> Secret:
    """The value of `Authorization` for Basic authentication."""
    pair = f"{username}:{password.reveal() if password else ''}"
    return Secret(f"Basic {base64.b64encode(pair.encode()).decode('ascii')}")
