"""Asks Azure's management API with a token of the connection's identity."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from sluice.plugin import Answer, Connection, Secret, TaskFailedError
from sluice_azure._client import Client, asleep, bearer, retry_after
from sluice_azure._identity import Identity, kept_identity
from sluice_azure._refusals import azure_refusal

POLL_SECONDS = 5.0
"""Between two looks at a long operation for which Azure names no time."""

_PAGES = 1000


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

    def url(self, *path: str, version: str, query: Mapping[str, str] | None = None) -> str:
        """The address of a resource: parts of the path are quoted, but those that begin or end with a slash."""
        joined = "/".join(part.strip("/") if "/" in {part[:1], part[-1:]} else quote(part, safe="") for part in path)
        asked = urlencode({"api-version": version, **(query or {})})
        return f"{self.identity.cloud.management.rstrip('/')}/{joined}?{asked}"

    def ask(self, url: str, *, method: str = "GET", body: Any = None) -> Answer:
        """What the API answers, errors too."""
        client = Client(connection=self.connection, authorization=self._authorization, pause=self.pause)
        return client.ask(url, method=method, body=body)

    def get(self, url: str, what: str, *, right: str = "the role Reader") -> Any:
        """The JSON of a resource; raises `TaskFailedError` saying `what` was wanted."""
        answer = self.ask(url)
        if not answer.ok:
            raise azure_refusal(self.connection, answer, what, right=right)
        return answer.json()

    def pages(self, url: str, what: str, *, right: str = "the role Reader") -> Iterator[Any]:
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
        while place and answer.ok and (answer.status == 202 or _is_at_work(answer)):
            self.pause(retry_after(answer, POLL_SECONDS))
            answer = self.ask(self._here(place))
            place = answer.headers.get("location") or place
        return answer

    def _authorization(self) -> Secret:
        return bearer(self.identity.token(self.connection, self.identity.cloud.scope))

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
