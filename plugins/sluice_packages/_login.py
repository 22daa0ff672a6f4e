"""What a connection logs in with, as the package managers of its family take it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sluice.plugin import Connection, Secret, SluiceError, TaskFailedError, VerificationError, basic

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageLogin:
    """A login at `url`: user name and password, or a token, which has no user name of its own."""

    url: str
    username: str
    password: Secret
    is_token: bool = False

    @property
    def basic(self) -> Secret:
        """The `Authorization` header of Basic authentication."""
        return basic(self.username, self.password)


def login_of(connection: Connection, *, user: str) -> PackageLogin:
    """The login of a connection; `user` is the name that the task in question has for a token.

    Raises `TaskFailedError` when the scheme holds neither, as an API key does, or when a value has several lines: it
    would add lines of its own to the files that it is written to.
    """
    scheme = connection.scheme.casefold()
    secret = connection.secret({"usernamepassword": "password", "token": "apitoken"}.get(scheme, ""))
    if secret is None:
        raise TaskFailedError(
            f"The service connection for {connection.url} is invalid.",
            where=connection.name,
            why=f"its authentication scheme is '{connection.scheme}'" if scheme == "none" else "it holds no secret",
            do=f"sluice connection update {connection.name} (schemes UsernamePassword and Token)",
        )
    is_token = scheme == "token"
    username = user if is_token else connection.text("username")
    for what, value in (("user name", username), ("password", secret.reveal()), ("URL", connection.url)):
        if _CONTROL.search(value):
            raise TaskFailedError(f"the {what} of the service connection has control characters", where=connection.name)
    return PackageLogin(url=connection.url, username=username, password=secret, is_token=is_token)


def verified_login(connection: Connection, *, user: str) -> PackageLogin:
    """As `login_of`, for a verification."""
    try:
        return login_of(connection, user=user)
    except SluiceError as error:
        raise VerificationError(error.what, where=connection.name, why=error.why, do=error.do) from None


def no_feeds(given: str, where: str) -> None:
    """Feeds of an organization's own Azure Artifacts exist there alone; raises `TaskFailedError` when one is named."""
    if given.strip():
        raise TaskFailedError(
            f"there is no Azure Artifacts feed '{given.strip()}' here",
            where=where,
            why="feeds of an organization are reached with a service connection from outside",
            do="name a service connection with the feed's URL and a personal access token",
        )
