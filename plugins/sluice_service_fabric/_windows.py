"""Windows security: proves to the cluster who the user of this process is (Kerberos)."""

from __future__ import annotations

import base64

from sluice.plugin import Connection, Secret, VerificationError

_ADVICE = (
    "run Sluice on Windows as an account of the domain; elsewhere get a ticket with 'kinit' and install the Python "
    "package 'gssapi' beside Sluice"
)


def negotiate(connection: Connection) -> Secret:
    """The `Authorization` header with a Kerberos ticket for the connection's SPN."""
    import spnego
    from spnego.exceptions import SpnegoError

    spn = connection.text("ClusterSpn").strip()
    if not spn:
        raise VerificationError(
            "the connection has no cluster SPN",
            where=connection.name,
            do=f"sluice connection update {connection.name} --set ClusterSpn=... (or --set Unsecured=true)",
        )
    service, slash, host = spn.partition("/")
    try:
        client = spnego.client(
            hostname=host if slash else spn, service=service if slash else "HTTP", protocol="kerberos"
        )
        ticket = client.step()
    except (SpnegoError, ImportError) as error:
        what = "there is no Kerberos ticket of this user for the cluster"
        raise VerificationError(what, where=connection.name, why=str(error).partition("\n")[0], do=_ADVICE) from None
    return Secret(f"Negotiate {base64.b64encode(ticket or b'').decode('ascii')}")
