"""One call of the REST interface: who calls, in which version, and how it is answered."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from starlette.responses import Response, StreamingResponse

from sluice.server.remembering import remember
from sluice.server.rest.envelope import encode
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project


@dataclass(frozen=True, slots=True)
class Call:
    """A call. `path` is what of the address named the organization, '' where it was left out."""

    caller: Caller
    version: str
    path: str

    @property
    def base(self) -> str:
        """The address of the organization, without a slash at the end."""
        return f"{self.caller.state.settings.public_url}{self.path}"

    def reply(self, data: Any, *, continuation: str = "") -> Response:
        """Answer with a value; `continuation` is where the next page goes on."""
        headers = {"x-ms-continuationtoken": continuation} if continuation else None
        return Response(encode(data), media_type=self.media_type, headers=headers)

    def collection(self, values: Iterable[Any], *, continuation: str = "") -> Response:
        """Answer with a list, in its envelope."""
        found = list(values)
        return self.reply({"count": len(found), "value": found}, continuation=continuation)

    def lasting(self, response: Response) -> Response:
        """Let an answer be given again that depends on nothing but what is stored, and on who asks."""
        return remember(response, self.caller.until) if self.caller.until else response

    def listing(self, batches: Iterator[list[Any]], *, continuation: str = "") -> Response:
        """Answer with a list that comes in batches: what is long is sent as it comes, the count at its end."""
        first, second = next(batches, []), next(batches, None)
        if second is None:
            return self.collection(first, continuation=continuation)
        headers = {"x-ms-continuationtoken": continuation} if continuation else None
        return StreamingResponse(_chunks(chain([first, second], batches)), media_type=self.media_type, headers=headers)

    @property
    def media_type(self) -> str:
        """The type of answers, which tells the version too."""
        return f"application/json; charset=utf-8; api-version={self.version}"

    def project(self, transaction: Transaction, name: str) -> Project:
        """The project that an address names, by name or id; raises `Problem`."""
        from sluice.server.rest.projects import named

        return named(transaction, name)


def _chunks(batches: Iterable[list[Any]]) -> Iterator[bytes]:
    count, start = 0, b'{"value":['
    for batch in batches:
        if batch:
            yield start + encode(batch)[1:-1]
            start = b","
            count += len(batch)
    yield (b"" if count else start) + b'],"count":%d}' % count


def growing(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """What is to be read, a little at first and more at a time later: so that something is sent at once."""
    start, size = 0, 25
    while start < len(ids):
        yield ids[start : start + size]
        start, size = start + size, min(2 * size, 400)


def nothing() -> Response:
    """Answer that it is done (204)."""
    return Response(status_code=204)
