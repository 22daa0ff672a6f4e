"""Service Bus: connection strings, the signatures that are made with them, and how a message is sent over HTTPS."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote_plus, urlsplit

from sluice.plugin import Answer, Connection, Probe, Secret, TaskFailedError

SECONDS = 300
"""How long a signature is good: for one request."""

_NAMESPACE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?")
QUEUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/~-]{0,258}[A-Za-z0-9_~])?")
"""Names of queues: nothing in them means something else in an address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionString:
    """A connection string: the namespace's address, and the key that signs."""

    url: str
    key_name: str
    key: Secret = field(repr=False)

    def signature(self, queue: str) -> Secret:
        """The `Authorization` of a request about a queue."""
        resource = quote_plus(f"{self.url}/{queue}".lower())
        expires = int(time.time()) + SECONDS
        mark = hmac.new(self.key.reveal().encode(), f"{resource}\n{expires}".encode(), hashlib.sha256).digest()
        signed = quote_plus(base64.b64encode(mark))
        return Secret(f"SharedAccessSignature sr={resource}&sig={signed}&se={expires}&skn={quote_plus(self.key_name)}")


def connection_string_of(connection: Connection) -> ConnectionString:
    """The connection string of a connection; raises `TaskFailedError` when it is none."""
    text = connection.secret("serviceBusConnectionString")
    parts: dict[str, str] = {}
    for part in (text.reveal() if text else "").split(";"):
        name, _, value = part.strip().partition("=")
        parts[name.casefold()] = value
    host = urlsplit(parts.get("endpoint", "").replace("sb://", "https://", 1)).netloc
    if not _NAMESPACE.fullmatch(host) or not parts.get("sharedaccesskeyname") or not parts.get("sharedaccesskey"):
        raise TaskFailedError(
            "the connection string names no namespace and key",
            where=connection.name,
            do="copy it from the portal: the namespace, Shared access policies",
        )
    return ConnectionString(
        url=f"https://{host}", key_name=parts["sharedaccesskeyname"], key=Secret(parts["sharedaccesskey"])
    )


def send(
    connection: Connection,
    url: str,
    queue: str,
    authorization: Secret,
    *,
    body: bytes,
    properties: Mapping[str, str],
    session: str = "",
) -> None:
    """Put a message into a queue; raises `TaskFailedError` when it was not accepted."""
    if not QUEUE.fullmatch(queue) or ".." in queue:
        raise TaskFailedError(f"'{queue[:80]}' is no name of a queue", where=connection.name)
    broker = {"SessionId": session} if session else {}
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "BrokerProperties": json.dumps(broker),
        # strings are quoted, as the service tells them from numbers
        **{name: json.dumps(value) for name, value in properties.items()},
    }
    probe = Probe(connection=connection, authorization=authorization, headers=headers)
    answer = probe.ask(f"{url}/{queue}/messages?api-version=2015-01", method="POST", body=body, limit=4096)
    if answer.status != 201:
        raise _refused(connection, answer, queue)


def _refused(connection: Connection, answer: Answer, queue: str) -> TaskFailedError:
    texts = {
        401: (
            f"{answer.origin} does not accept the credentials for the queue '{queue}'",
            "the key was renewed, or the identity lacks the role 'Azure Service Bus Data Sender'",
        ),
        403: (f"{answer.origin} refuses the message", "the namespace or the queue may be over its quota, or disabled"),
        404: (f"{answer.origin} has no queue '{queue}'", "check the names of the namespace and of the queue"),
        413: ("the message is too long for the queue", "256 KiB at most in the Standard tier"),
    }
    what, do = texts.get(answer.status, (f"{answer.origin} did not accept the message", ""))
    return TaskFailedError(what, where=connection.name, why=answer.shown, do=do)
