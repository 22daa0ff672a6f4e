"""A service connection as a task handler or a verification receives it: opened, for this one use."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field

from sluice.errors import SluiceError
from sluice.secret import Secret
from sluice.values import dataclass

Value = str | Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An opened service connection.

    `parameters` are those of its authentication scheme, `data` the further values of its type; secret ones are
    `Secret`. `linked` holds, by data key, the connections that this one names (such as a jump host). `notes` are
    sentences for whoever looks at the use, such as that it expires soon. `federation` issues identity tokens for it,
    where it has workload identity federation: see `federated_token`. `tokens` answers access tokens for a scope, where
    its type's `prepare` knows how: see `access_token`. `registry` answers a user name and a password for the host of a
    container registry, where its identity can log in there: see `registry_login`.
    """

    id: str
    name: str
    type: str
    url: str = ""
    scheme: str = ""
    parameters: Mapping[str, Value] = field(default_factory=dict)
    data: Mapping[str, Value] = field(default_factory=dict)
    linked: Mapping[str, Connection] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    federation: Callable[[], Secret] | None = field(default=None, repr=False, compare=False)
    tokens: Callable[[str], Secret] | None = field(default=None, repr=False, compare=False)
    registry: Callable[[str], tuple[str, Secret]] | None = field(default=None, repr=False, compare=False)

    def value(self, key: str) -> Value | None:
        """The parameter or data value of that key, ignoring case; None when it is not set."""
        wanted = key.casefold()
        for values in (self.parameters, self.data):
            for name, value in values.items():
                if name.casefold() == wanted:
                    return value
        return None

    def text(self, key: str, default: str = "") -> str:
        """A public value; asking for a secret one this way is a mistake and raises TypeError."""
        value = self.value(key)
        if isinstance(value, Secret):
            raise TypeError(f"'{key}' of {self.type} is secret: ask with secret()")
        return value or default

    def secret(self, key: str) -> Secret | None:
        """A secret value, or None when it is not set."""
        value = self.value(key)
        if value is None or isinstance(value, Secret):
            return value or None
        return Secret(value)

    def federated_token(self) -> Secret:
        """A fresh identity token, signed by Sluice for this use of the connection; good for ten minutes.

        To be asked for each time that one is needed: whether the use is permitted still is asked again. Raises
        `SluiceError` when it is not, or the connection has no workload identity federation.
        """
        if self.federation is None:
            raise SluiceError(
                f"no identity token is issued for the service connection '{self.name}'",
                where=self.name,
                why="its authentication scheme is not workload identity federation",
            )
        return self.federation()

    def access_token(self, scope: str = "") -> Secret:
        """An access token of its identity for a scope, such as `https://vault.azure.net/.default`.

        '' is the scope of the management API behind its url. It is for requests that a handler makes itself, and may be
        one that was given before: never hand it to a script. Raises `SluiceError` saying why there is none.
        """
        if self.tokens is None:
            raise SluiceError(
                f"the service connection '{self.name}' has no identity that is given access tokens", where=self.name
            )
        return self.tokens(scope)

    def registry_login(self, host: str) -> tuple[str, Secret]:
        """The user name and the password with which its identity pulls from the container registry at that host.

        Raises `SluiceError` when it has none, or the registry refuses.
        """
        if self.registry is None:
            raise SluiceError(f"the service connection '{self.name}' opens no container registry", where=self.name)
        return self.registry(host)

    def secrets(self) -> Iterator[Secret]:
        """Every secret value of this connection and of those linked to it, for the mask."""
        for values in (self.parameters, self.data):
            yield from (value for value in values.values() if isinstance(value, Secret) and value)
        for connection in self.linked.values():
            yield from connection.secrets()
