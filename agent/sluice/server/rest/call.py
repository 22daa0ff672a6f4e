"""One call of the REST interface: who calls, in which version, and how it is answered."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

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

    @property
    def media_type(self) -> str:
        """The type of answers, which tells the version too."""
        return f"application/json; charset=utf-8; api-version={self.version}"

    def project(self, transaction: Transaction, name: str) -> Project:
        """The project that an address names, by name or id; raises `Problem`."""
        from sluice.server.rest.projects import named

        return named(transaction, name)


def nothing() -> Response:
    """Answer that it is done (204)."""
    return Response(status_code=204)
