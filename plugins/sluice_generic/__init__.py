"""Generic connections: any URL with an optional user name and password or token."""

from __future__ import annotations

from sluice.plugin import Connection, ConnectionType, Family, Field, Scheme, Url, hookimpl

GENERIC = ConnectionType(
    "generic",
    "Generic",
    summary="Any URL with an optional user name and password or token.",
    url=Url(label="Server URL", required=True, schemes=()),
    schemes=(
        Scheme(
            "UsernamePassword",
            "Basic Authentication",
            (
                Field("username", "Username", help="Account name sent to the remote service."),
                Field("password", "Password/Token Key", secret=True, help="Password or token."),
            ),
        ),
    ),
)


def verify(connection: Connection) -> str:
    """Get the URL with Basic authentication and answer what the server said."""
    from sluice_generic._verification import verify

    return verify(connection)


@hookimpl
def sluice_family() -> Family:
    return Family(types=(GENERIC,), verify={GENERIC.name: verify})
