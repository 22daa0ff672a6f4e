"""What a use of an Azure Resource Manager connection receives beside what is stored."""

from __future__ import annotations

from dataclasses import replace

from sluice.plugin import Connection, Secret
from sluice_azure._environments import DEFAULT, environment_of


def prepare(connection: Connection) -> Connection:
    """The connection with the addresses of its cloud, as a server of Azure Pipelines adds them, and with its tokens.

    Nothing is asked here: an Azure Stack is asked for its addresses by the tasks themselves.
    """
    known = environment_of(connection.text("environment", DEFAULT))
    own = {key.casefold() for key in connection.data}
    data = {**{key: value for key, value in known.items() if key.casefold() not in own}, **connection.data}
    prepared = replace(connection, data=data)
    if connection.scheme.casefold() == "publishprofile":
        return prepared

    def tokens(scope: str) -> Secret:
        from sluice_azure._identity import kept_identity

        identity = kept_identity(prepared)
        return identity.token(prepared, scope or identity.cloud.scope)

    def registry(host: str) -> tuple[str, Secret]:
        from sluice_azure._registry import log_in

        return log_in(prepared, host)

    return replace(prepared, tokens=tokens, registry=registry)
