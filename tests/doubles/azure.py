"""Azure as one server, told apart by host name as the real one is: Entra, the management API, key vaults, ...

Clients reach it under Azure's own names through a proxy on loopback (`HTTPS_PROXY`), and trust its certificate by
`REQUESTS_CA_BUNDLE`: nothing of them is changed.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.doubles.certificates import Authority
from tests.doubles.entra import LOGIN_HOST, Entra
from tests.doubles.web import Call, Double, Reply, served

MANAGEMENT = "management.azure.com"
GRAPH = "graph.microsoft.com"
VAULTS = "vault.azure.net"
SITES = "scm.azurewebsites.net"
QUEUES = "servicebus.windows.net"
CLASSIC = "management.core.windows.net"
BLOBS = "blob.core.windows.net"
REGISTRIES = "azurecr.io"
AUDIENCES = {
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://vault.azure.net",
    "https://storage.azure.com",
    "https://servicebus.azure.net",
    "https://containerregistry.azure.net",
    "https://graph.microsoft.com",
}
HOSTS = (
    LOGIN_HOST,
    MANAGEMENT,
    GRAPH,
    CLASSIC,
    "issuer.sluice.test",
    "*.crm4.dynamics.com",
    *(
        f"*.{suffix}"
        for suffix in (VAULTS, SITES, QUEUES, BLOBS, REGISTRIES, "local.azurestack.test", "azurewebsites.net")
    ),
)

Service = Callable[[Call], Reply]


class Azure(Double):
    """`services` answer by host name, or by its end with a dot in front; `subscription` is the one that there is."""

    def __init__(self, *, tenant: str, subscription: str, trusted: str = "") -> None:
        super().__init__()
        self.entra = Entra(tenant, AUDIENCES, trusted=trusted)
        self.subscription = subscription
        self.services: dict[str, Service] = {LOGIN_HOST: self._login}
        self.readers: set[str] = set()
        """The applications that have a role."""
        self.busy = 0
        """How often the management API says first that it is asked too often."""
        self.calls_by_host: list[tuple[str, Call]] = []

    def answer(self, call: Call) -> Reply:
        host = call.headers.get("host", "").removesuffix(":443").casefold()
        self.calls_by_host.append((host, call))
        if call.path.rstrip("/") == "/identity":
            return self.entra.identity(call)
        service = self.services.get(host) or next(
            (one for end, one in self.services.items() if end.startswith(".") and host.endswith(end)), None
        )
        if service is None:
            self.complaints.append(f"nobody serves {host}")
            return Reply(404, {"error": {"code": "NoSuchHost"}})
        return service(call)

    def _login(self, call: Call) -> Reply:
        found = self.entra.answer(call, f"https://{LOGIN_HOST}")
        return found or Reply(404, {"error": "not_found"})

    def asked(self, host: str) -> list[Call]:
        """What one host was asked."""
        return [call for name, call in self.calls_by_host if name == host]


def allowed(azure: Azure, call: Call, *, versions: set[str], audiences: tuple[str, ...] = ("https://management.azure.com",)) -> Reply | None:  # fmt: skip
    """What the management API says before it looks at a request: None when it may go on."""
    if azure.busy:
        azure.busy -= 1
        return Reply(429, error("TooManyRequests", "The request was throttled."), headers={"Retry-After": "0"})
    caller = azure.entra.caller(call, *audiences, "https://management.core.windows.net")
    if caller is None:
        return Reply(401, error("InvalidAuthenticationToken", "The access token is invalid."))
    version = call.query.get("api-version", "")
    if not version:
        return Reply(400, error("MissingApiVersionParameter", "The api-version query parameter is required."))
    if version not in versions:
        text = f"The api-version '{version}' is invalid. The supported versions are '{','.join(sorted(versions))}'."
        return Reply(400, error("InvalidApiVersionParameter", text))
    if caller["appid"] not in azure.readers:
        text = f"The client '{caller['appid']}' does not have authorization to perform the action."
        return Reply(403, error("AuthorizationFailed", text))
    return None


def error(code: str, message: str) -> Mapping[str, Any]:
    return {"error": {"code": code, "message": message}}


class Cloud:
    """The double as clients see it: `environment` is what they need, `proxy` the address in it."""

    def __init__(self, azure: Azure, proxy: str, authority: Authority, others: dict[str, int]) -> None:
        self.azure = azure
        self.others = others
        """Ends of host names that real servers of this machine stand for, by their ports."""
        self.proxy = proxy
        self.authority = authority
        self.environment = {
            "HTTPS_PROXY": proxy,
            "https_proxy": proxy,
            "NO_PROXY": "",
            "no_proxy": "",
            "REQUESTS_CA_BUNDLE": str(authority.path),
            "NODE_EXTRA_CA_CERTS": str(authority.path),
        }


@contextlib.contextmanager
def cloud(folder: Path, *, tenant: str, subscription: str) -> Iterator[Cloud]:
    """Serve Azure for the length of the block; what was wrong with a request is an `AssertionError` at its end.

    Its certificate lies in the folder: `azure.pem` and `azure.key`, for real servers that stand for some of its hosts.
    """
    authority = Authority(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.path))
    context.verify_mode = ssl.CERT_OPTIONAL
    context.load_cert_chain(*authority.issue("azure", folder, hosts=HOSTS))
    azure = Azure(tenant=tenant, subscription=subscription, trusted=str(authority.path))
    others: dict[str, int] = {}
    with served(azure, context), proxied(int(azure.url.rpartition(":")[2]), others) as proxy:
        yield Cloud(azure, proxy, authority, others)
    assert azure.complaints == []


@contextlib.contextmanager
def proxied(port: int, others: Mapping[str, int]) -> Iterator[str]:
    """A proxy that leads every CONNECT to one port of this machine, or `others` by the host's end; answers its address."""
    ports = {"port": port, "others": others}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Proxy", (_Proxy,), ports))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Proxy(BaseHTTPRequestHandler):
    port: int
    others: Mapping[str, int]

    def do_CONNECT(self) -> None:
        host = self.path.rpartition(":")[0]
        port = next((one for end, one in self.others.items() if host.endswith(end)), self.port)
        with socket.create_connection(("127.0.0.1", port)) as far:
            self.send_response(200, "Connection established")
            self.end_headers()
            _pump(self.connection, far)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the base class
        pass


def _pump(near: socket.socket, far: socket.socket) -> None:
    with selectors.DefaultSelector() as selector, contextlib.suppress(OSError):
        for one, other in ((near, far), (far, near)):
            selector.register(one, selectors.EVENT_READ, other)
        while True:
            for key, _ in selector.select():
                data = key.fileobj.recv(65536)  # type: ignore[union-attr]  # sockets were registered
                if not data:
                    return
                key.data.sendall(data)
