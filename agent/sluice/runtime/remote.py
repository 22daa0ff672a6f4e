"""A repository on a server: its address and who asks there, as the rule of a connection's type has it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit

from sluice.errors import TaskFailedError
from sluice.hooks.connection import Connection
from sluice.hooks.repository import Login, RepositoryRule, SourceRepository
from sluice.secret import Secret
from sluice.values import dataclass

Rules = Mapping[str, RepositoryRule]
"""Rules by casefolded connection type."""

_SCHEMES = {"git": ("https", "http"), "svn": ("https", "http", "svn")}
SSH = "ssh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Where to clone from, without credentials in the `url`, and the log-in to do it with."""

    url: str
    login: Login
    tool: Literal["git", "svn"] = "git"
    provider: str = "Git"

    @property
    def origin(self) -> str:
        """Scheme, host and port of the address: credentials go nowhere else."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def secrets(self) -> Iterator[Secret]:
        """What must not be seen of the log-in: the secrets, and how they are written in a header."""
        authorization = self.login.authorization
        if authorization is not None:
            yield authorization
            yield Secret(authorization.reveal().rpartition(" ")[2])
        if self.login.password:
            yield self.login.password
        if self.login.key:
            yield self.login.key


def locate(rules: Rules, repository: SourceRepository, connection: Connection | None) -> Remote:
    """Where a repository is, by its connection; without one, where everybody finds a public one.

    Raises `TaskFailedError` when the connection is not for repositories of that type, or none is needed but missing.
    """
    if connection is None:
        return _public(rules, repository)
    rule = rules.get(connection.type.casefold())
    if rule is None or repository.type not in rule.types:
        raise TaskFailedError(
            f"the service connection '{connection.name}' does not open repositories of type '{repository.type}'",
            why=f"it is of type '{connection.type}'",
        )
    login = rule.login(connection)
    url = _checked(rule, rule.url(repository, connection), login)
    return Remote(url=url, login=login, tool=rule.tool, provider=rule.provider)


def _public(rules: Rules, repository: SourceRepository) -> Remote:
    for rule in rules.values():
        if repository.type in rule.types and rule.public is not None:
            return Remote(
                url=_checked(rule, rule.public(repository), Login()),
                login=Login(),
                tool=rule.tool,
                provider=rule.provider,
            )
    raise TaskFailedError(
        f"where the repository '{repository.name}' of type '{repository.type}' is cannot be known",
        why="it names no service connection ('endpoint')",
        do="name one, or a checkout of it: --repository ALIAS=PATH",
    )


def _checked(rule: RepositoryRule, url: str, login: Login) -> str:
    """The address, once it is one that may be asked; whatever a plugin puts together. A key is for SSH, and the other way round."""
    allowed = (SSH,) if rule.tool == "git" and login.key is not None else _SCHEMES[rule.tool]
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    bare = host and parts.username is None and parts.password is None
    if not bare or parts.scheme not in allowed or not url.isprintable() or " " in url:
        raise TaskFailedError(
            "the repository's address cannot be used", why=f"it is no plain address of {' or '.join(allowed)}"
        )
    return url
