"""Looks whether messages for an incoming webhook could be checked: nobody is there to be asked."""

from __future__ import annotations

from sluice.plugin import Connection, VerificationError

PATH = "/_apis/public/distributedtask/webhooks/{name}?api-version=6.0-preview"


def verify(connection: Connection) -> str:
    """Answer what a message has to show; raises `VerificationError` where none could be accepted."""
    name, header, secret = connection.text("webhookname"), connection.text("header"), connection.secret("secret")
    if secret and not header:
        raise VerificationError(
            "no message can be accepted: there is a secret, and no header that its checksum stands in",
            where=connection.name,
            do=f"sluice connection update {connection.name} --set header=X-Hub-Signature",
        )
    if header and not secret:
        raise VerificationError(
            "no message can be accepted: there is a header for a checksum, and no secret to make it with",
            where=connection.name,
            do=f"sluice connection update {connection.name} --secret secret=-",
        )
    address = PATH.format(name=name)
    if not secret:
        return f"anybody who posts to {address} starts pipelines: give it a secret and a header unless that is meant"
    return f"whoever posts to {address} starts pipelines, if the header '{header}' has the checksum of the message"
