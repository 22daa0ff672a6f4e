"""The `oidctoken` endpoint of a step, on loopback: where a script or a task package asks for identity tokens itself.

It answers as the one of Azure DevOps does, so that `AzurePipelinesCredential` and unmodified tasks find it: for the
connections of this one step, to whoever shows the step's key, as long as the step runs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Self

from sluice.errors import NotPermittedError, SluiceError
from sluice.hooks.connection import Connection
from sluice.secret import Secret

if TYPE_CHECKING:
    from http.server import ThreadingHTTPServer

REQUEST_VARIABLE = "SYSTEM_OIDCREQUESTURI"
"""In which a script finds the address to ask."""

_LOCATION = {
    "id": "69a319f4-28c1-4bfd-93e6-ea0ff5c6f1a2",
    "area": "distributedtask",
    "resourceName": "oidctoken",
    "routeTemplate": "{scopeIdentifier}/_apis/{area}/hubs/{hubName}/plans/{planId}/jobs/{jobId}/{resource}",
    "resourceVersion": 1,
    "minVersion": "5.0",
    "maxVersion": "7.2",
    "releasedVersion": "0.0",
}
"""What clients of Azure DevOps ask for (OPTIONS) before they make a request: where it is, and its versions."""

_READ_SECONDS = 10.0


class TokenEndpoint:
    """Serves the tokens of a step's connections while it is entered. `path` names the job, as clients write it; `key` is a new one unless given."""

    def __init__(self, connections: Iterable[Connection], *, path: str = "job", key: Secret | None = None) -> None:
        self.key = key or _new_key()
        self._connections = {one.id.lower(): one for one in connections if one.federation is not None}
        self._path = path.strip("/")
        self._server: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def base(self) -> str:
        """The address of the server that it stands for, with a slash at its end."""
        if self._server is None:
            raise RuntimeError("the endpoint is not entered")
        return f"http://127.0.0.1:{self._server.server_port}/"

    @property
    def url(self) -> str:
        """Where tokens are asked for."""
        return f"{self.base}{self._path}/oidctoken"

    def __enter__(self) -> Self:
        self._server = _server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def answer(self, authorization: str, connection_id: str) -> tuple[int, dict[str, Any]]:
        """The status and the body for a request."""
        import hmac

        kind, _, shown = authorization.partition(" ")
        if kind.casefold() != "bearer" or not hmac.compare_digest(shown.encode(), self.key.reveal().encode()):
            return 401, {"message": "the access token of the step is wrong or missing"}
        connection = self._connections.get(connection_id.strip().lower())
        if connection is None:
            return 404, {"message": "this step has no service connection of that id with workload identity federation"}
        try:
            return 200, {"oidcToken": connection.federated_token().reveal()}
        except NotPermittedError as error:
            return 403, {"message": str(error)}
        except SluiceError as error:
            return 500, {"message": str(error)}


def _new_key() -> Secret:
    import secrets

    return Secret(secrets.token_urlsafe(32))


def _server(endpoint: TokenEndpoint) -> ThreadingHTTPServer:
    import json
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from urllib.parse import parse_qs, urlsplit

    class Handler(BaseHTTPRequestHandler):
        timeout = _READ_SECONDS
        server_version, sys_version = "Sluice", ""

        def do_POST(self) -> None:
            parts = urlsplit(self.path)
            length = self.headers["Content-Length"] or "0"
            self.rfile.read(int(length) if length.isdecimal() and int(length) < 65536 else 0)
            if not parts.path.endswith("/oidctoken"):
                self._send(404, {"message": "only identity tokens are given here"})
                return
            asked = parse_qs(parts.query).get("serviceConnectionId", [""])[0]
            self._send(*endpoint.answer(self.headers["Authorization"] or "", asked))

        def do_OPTIONS(self) -> None:
            self._send(200, {"count": 1, "value": [_LOCATION]})

        def _send(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class
            """Nothing: the address and the key are nobody's business."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    return server
