"""Asks Azure's management API: with a token of the connection's identity, as patiently as Azure wants it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sluice.plugin import Answer, CanceledError, Connection, Probe, Secret, TaskFailedError, TaskRun
from sluice_azure._identity import Identity, kept_identity
from sluice_azure._refusals import azure_refusal

MOST_TRIES = 8
LONGEST_WAIT = 300.0
"""So long is waited at most when Azure says that it was asked too often, each time."""

POLL_SECONDS = 5.0
"""Between two looks at a long operation for which Azure names no time."""

_LIMIT = 16 << 20
_BUSY = frozenset({429, 503})
_PAGES = 1000


def asleep(seconds: float) -> None:
    """Wait where nobody can cancel."""
    time.sleep(seconds)


def pause_of(run: TaskRun) -> Callable[[float], None]:
    """Waits as long as the task is not canceled."""
    import threading

    over = threading.Event()
    run.on_cancel(over.set)

    def pause(seconds: float) -> None:
        if over.wait(seconds):
            raise CanceledError("canceled while Azure was at work")

    return pause


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """The management API as a connection's identity reaches it; `pause` waits so many seconds."""

    connection: Connection
    identity: Identity
    pause: Callable[[float], None] = asleep

    @classmethod
    def of(cls, connection: Connection, pause: Callable[[float], None] = asleep) -> Arm:
        """The API of the connection's cloud."""
        return cls(connection=connection, identity=kept_identity(connection), pause=pause)

    def token(self) -> Secret:
        """A token for the API, which Sluice keeps to itself."""
        return self.identity.token(self.connection, self.identity.cloud.scope)

    def url(self, *path: str, version: str, query: Mapping[str, str] | None = None) -> str:
        """The address of a resource: parts of the path are quoted, what holds a slash is an id already."""
        joined = "/".join(part.strip("/") if "/" in part else quote(part, safe="") for part in path)
        return f"{self.identity.cloud.management.rstrip('/')}/{joined}?{urlencode({'api-version': version, **(query or {})})}"

    def ask(self, url: str, *, method: str = "GET", body: Any = None) -> Answer:
        """What the API answers, errors too; when it was asked too often, once it may be asked again."""
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if content else {}
        for attempt in range(1, MOST_TRIES + 1):
            probe = Probe(connection=self.connection, authorization=self._bearer(url), headers=headers)
            answer = probe.ask(url, method=method, body=content, limit=_LIMIT)
            if answer.status not in _BUSY or attempt == MOST_TRIES:
                return answer
            self.pause(_retry_after(answer, 2.0**attempt))
        raise AssertionError("the last try is answered")

    def get(self, url: str, what: str, *, right: str = "Reader") -> Any:
        """The JSON of a resource; raises `TaskFailedError` saying `what` was wanted."""
        answer = self.ask(url)
        if not answer.ok:
            raise azure_refusal(self.connection, answer, what, right=right)
        return answer.json()

    def pages(self, url: str, what: str, *, right: str = "Reader") -> Iterator[Any]:
        """The members of a collection, of all its pages."""
        for _ in range(_PAGES):
            body = self.get(url, what, right=right)
            yield from body.get("value", ()) if isinstance(body, dict) else ()
            following = body.get("nextLink") if isinstance(body, dict) else None
            if not isinstance(following, str) or not following:
                return
            url = self._here(following)

    def finished(self, answer: Answer) -> Answer:
        """What a long operation answers once it is over: the last look at it."""
        place = answer.headers.get("azure-asyncoperation") or answer.headers.get("location")
        while place and (answer.status == 202 or _is_at_work(answer)):
            self.pause(_retry_after(answer, POLL_SECONDS))
            answer = self.ask(self._here(place))
            place = answer.headers.get("location") or place
        return answer

    def _bearer(self, url: str) -> Secret:
        return Secret(f"Bearer {self.token().reveal()}")

    def _here(self, url: str) -> str:
        """A url that Azure named; the token goes to the management API and nowhere else."""
        own, named = urlsplit(self.identity.cloud.management), urlsplit(url)
        if (named.scheme, named.netloc) != (own.scheme, own.netloc):
            raise TaskFailedError(
                f"Azure's answer points to {named.scheme}://{named.netloc}, which is not its management API",
                where=self.connection.name,
            )
        return url


def _is_at_work(answer: Answer) -> bool:
    """Whether a look at an operation, or at a resource, says that it is not over."""
    body = answer.json()
    if not isinstance(body, dict):
        return False
    state = body.get("status")
    if not isinstance(state, str):
        properties = body.get("properties")
        state = properties.get("provisioningState") if isinstance(properties, dict) else None
    return isinstance(state, str) and state.casefold() not in {"succeeded", "failed", "canceled"}


def _retry_after(answer: Answer, otherwise: float) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), LONGEST_WAIT) if text.isdecimal() else otherwise
