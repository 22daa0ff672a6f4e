"""Visual Studio App Center: its API."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.plugin import Answer, Connection, Probe, VerificationError
from sluice_ci._service import BODY, Product

PRODUCT = Product(
    name="App Center API",
    address="the URL is that of the API with its version, such as https://api.appcenter.ms/v0.1",
    permission="give it a user or app token with full access: a read-only one cannot upload",
)


def verify(connection: Connection) -> str:
    """Ask for the apps; answer how many the token opens."""
    apps = PRODUCT.json(connection, AppCenter(connection).ask("apps"), list)
    return f"App Center accepts the token, which opens {len(apps)} apps"


@dataclass(frozen=True, slots=True)
class AppCenter:
    """The API, with the token of a connection."""

    connection: Connection

    def ask(self, path: str, *, method: str = "GET", body: object = None) -> Answer:
        """What the API answers; `body` is sent as JSON."""
        token = self.connection.secret("apitoken")
        if not token:
            raise VerificationError(
                "No API token found on the Visual Studio App Center service connection.", where=self.connection.name
            )
        headers = {"Accept": "application/json", "internal-request-source": "VSTS", "X-API-Token": token.reveal()}
        sent = b""
        if body is not None:
            headers["Content-Type"] = "application/json"
            sent = json.dumps(body).encode()
        url = f"{self.connection.url.rstrip('/')}/{path}"
        # a header of our own follows a redirect, which Probe keeps within the origin
        return Probe(connection=self.connection, headers=headers).ask(url, method=method, body=sent, limit=BODY)

    def json(self, path: str, *, method: str = "GET", body: object = None) -> Mapping[str, Any]:
        """The JSON object that the API answers; raises `VerificationError` when there is none."""
        return self.checked(self.ask(path, method=method, body=body))

    def checked(self, answer: Answer) -> Mapping[str, Any]:
        """The JSON object of an answer; raises `VerificationError` when there is none."""
        body: Mapping[str, Any] = PRODUCT.json(self.connection, answer)
        return body
