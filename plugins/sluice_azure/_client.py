"""Requests to a service of Azure with tokens of a connection, as patient as the service wants it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

from sluice.plugin import Answer, CanceledError, Connection, Probe, Secret, TaskRun

MOST_TRIES = 8
LONGEST_WAIT = 300.0
"""So long is waited at most when Azure says that it was asked too often, each time."""

_LIMIT = 16 << 20
_BUSY = frozenset({429, 503})


def asleep(seconds: float) -> None:
    """Wait where nobody can cancel."""
    time.sleep(seconds)


def pause_of(run: TaskRun) -> Callable[[float], None]:
    """Waits as long as the task is not canceled; raises `CanceledError` then."""
    over = threading.Event()
    run.on_cancel(over.set)

    def pause(seconds: float) -> None:
        if over.wait(seconds):
            raise CanceledError("canceled while Azure was at work")

    return pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Asks one service: `authorization` answers the header of a request, `pause` waits so many seconds."""

    connection: Connection
    authorization: Callable[[], Secret]
    pause: Callable[[float], None] = asleep
    headers: Mapping[str, str] = field(default_factory=dict)

    def ask(
        self,
        url: str,
        *,
        method: str = "GET",
        body: Any = None,
        content: bytes | IO[bytes] = b"",
        headers: Mapping[str, str] | None = None,
        limit: int = _LIMIT,
    ) -> Answer:
        """What the service answers, errors too; when it was asked too often, once it may be asked again.

        `body` is sent as JSON, `content` as it is: a file only once.
        """
        sent = {**self.headers, **(headers or {})}
        if body is not None:
            content = json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        tries = MOST_TRIES if isinstance(content, bytes) else 1
        for attempt in range(1, tries + 1):
            probe = Probe(connection=self.connection, authorization=self.authorization(), headers=sent)
            answer = probe.ask(url, method=method, body=content, limit=limit)
            if answer.status not in _BUSY or attempt == tries:
                return answer
            self.pause(retry_after(answer, 2.0**attempt))
        raise AssertionError("the last try is answered")


def bearer(token: Secret) -> Secret:
    """The header of a request with an access token."""
    return Secret(f"Bearer {token.reveal()}")


def retry_after(answer: Answer, otherwise: float) -> float:
    """How long a service wants to be left alone, in seconds; `otherwise` when it does not say."""
    text = answer.headers.get("retry-after", "")
    return min(float(text), LONGEST_WAIT) if text.isdecimal() else otherwise
