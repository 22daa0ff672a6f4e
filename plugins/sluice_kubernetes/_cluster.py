"""Speaks with an API server, through the Kubernetes client, and tells apart why there is no answer."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from sluice.plugin import CanceledError, TaskFailedError, basic, check_host
from sluice_kubernetes._access import Access

if TYPE_CHECKING:
    import socket

    from kubernetes.client import ApiClient

CONNECT_SECONDS = 10.0
READ_SECONDS = 60.0
MAX_ANSWER = 64 << 20
"""Bytes of an answer, beyond which nothing is read: a list of all pods of a large cluster has a few."""

FIELD_MANAGER = "sluice"
JSON = "application/json"
APPLY = "application/apply-patch+yaml"

Object = dict[str, Any]


class ClusterError(TaskFailedError):
    """An API server did not do what it was asked; `status` is its HTTP status, 0 when it was not reached."""

    status: int = 0
    reason: str = ""

    @property
    def is_missing(self) -> bool:
        """Whether what was asked for does not exist."""
        return self.status == 404


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """How objects of a kind are addressed; `names` are those that people use for it, in lower case."""

    prefix: str
    plural: str
    kind: str
    namespaced: bool
    names: frozenset[str] = frozenset()

    def path(self, namespace: str = "", name: str = "") -> str:
        """The path of one object, or of all of a namespace."""
        parts = [self.prefix]
        if self.namespaced and namespace:
            parts += ["namespaces", quote(namespace, safe="")]
        parts.append(self.plural)
        if name:
            parts.append(quote(name, safe=""))
        return "/".join(parts)


class Line:
    """The sockets of a cluster's connections, which are shut down when nobody wants to wait for them any more."""

    def __init__(self) -> None:
        self.is_cut = False
        self._sockets: list[socket.socket] = []
        self._lock = threading.Lock()

    def add(self, opened: socket.socket) -> None:
        # a duplicate: TLS takes the descriptor out of the object that it wraps
        with self._lock:
            self._sockets.append(opened.dup())
        if self.is_cut:
            self.cut()

    def cut(self) -> None:
        self.is_cut = True
        with self._lock:
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(2)  # SHUT_RDWR: it wakes a reader in another thread, which closing does not

    def close(self) -> None:
        with self._lock:
            while self._sockets:
                self._sockets.pop().close()


@dataclass(kw_only=True)
class Cluster:
    """An opened API server; `where` names the connection in errors. To be had from `open_cluster`."""

    access: Access
    where: str
    client: ApiClient
    line: Line
    _resources: dict[str, dict[str, Resource]] = field(default_factory=dict)

    def hang_up(self) -> None:
        """End what is waited for, and all that would come after; from any thread."""
        self.line.cut()

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content_type: str = JSON,
    ) -> Object:
        """The JSON object that the server answers; raises `ClusterError`, and `CanceledError` after `hang_up`."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        url = self.access.server + path + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": JSON, "User-Agent": "sluice", **self._authorization()}
        text = None if body is None else json.dumps(body)
        if text is not None:
            headers["Content-Type"] = content_type
        try:
            # the client's manager of connections itself: what the server says about a refusal is in its answer
            with self.client.rest_client.pool_manager.request(
                method, url, body=text, headers=headers, preload_content=False
            ) as response:
                content = response.read(MAX_ANSWER + 1)
                status = int(response.status)
        except (HTTPError, ApiException, OSError) as error:
            if self.line.is_cut:
                raise CanceledError("canceled while the cluster was asked") from None
            raise self._unreachable(error) from None
        if len(content) > MAX_ANSWER:
            raise self._error(f"{self.access.server} answers more than {MAX_ANSWER >> 20} MiB", status=status)
        return self._answer(status, content)

    def resource(self, api_version: str, kind: str) -> Resource:
        """How objects of a kind are addressed, as the server tells; raises `ClusterError` for one it does not have."""
        found = self._known(api_version).get(kind.casefold())
        if found is None:
            raise self._error(
                f"the cluster has no kind '{kind}' in '{api_version}'",
                do="look at apiVersion and kind of the manifest; a custom resource needs its definition first",
                status=404,
            )
        return found

    def find_resource(self, name: str) -> Resource:
        """What people call `deploy`, `svc`, `Deployment` or `deployments.apps`; raises `ClusterError` for nothing."""
        wanted, _, group = name.casefold().partition(".")
        for version in self._versions():
            if group and version.partition("/")[0].casefold() not in {group, group.partition(".")[2]}:
                continue
            for resource in self._known(version).values():
                if wanted in resource.names:
                    return resource
        raise self._error(f"the server doesn't have a resource type '{name[:80]}'", status=404)

    def _versions(self) -> Iterator[str]:
        """The preferred version of each group, those first that are asked for most."""
        yield from ("v1", "apps/v1")
        for group in self.ask("GET", "/apis").get("groups") or ():
            version = str((group.get("preferredVersion") or {}).get("groupVersion", ""))
            if version and version != "apps/v1":
                yield version

    def _known(self, api_version: str) -> dict[str, Resource]:
        if api_version not in self._resources:
            prefix = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
            try:
                listed = self.ask("GET", prefix).get("resources") or []
            except ClusterError as error:
                if not error.is_missing:
                    raise
                listed = []
            known = [_resource(prefix, one) for one in listed if "/" not in one["name"]]
            self._resources[api_version] = {one.kind.casefold(): one for one in known}
        return self._resources[api_version]

    def forget(self) -> None:
        """Ask anew which kinds there are: a definition of one has been applied."""
        self._resources.clear()

    def _authorization(self) -> dict[str, str]:
        if self.access.token:
            return {"Authorization": f"Bearer {self.access.token.reveal()}"}
        if self.access.username and self.access.password:
            return {"Authorization": basic(self.access.username, self.access.password).reveal()}
        return {}

    def _answer(self, status: int, content: bytes) -> Object:
        try:
            body: Any = json.loads(content) if content else {}
        except (ValueError, RecursionError):
            body = None
        if 200 <= status < 300 and isinstance(body, dict):
            return body
        told = body if isinstance(body, dict) and body.get("kind") == "Status" else {}
        message = " ".join(str(told.get("message") or "").split())[:1000]
        if 300 <= status < 400:
            raise self._error(f"{self.access.server} redirects, which an API server does not do", status=status)
        if not told:
            raise self._error(f"{self.access.server} does not answer as an API server", str(status), status=status)
        if status == 401:
            raise self._error(
                "the cluster does not accept the credentials",
                "they are wrong, expired or revoked, or the service account has been deleted",
                status=status,
            )
        raise self._error(
            message or f"the cluster refuses the request ({status})",
            status=status,
            reason=str(told.get("reason") or ""),
        )

    def _unreachable(self, error: BaseException) -> ClusterError:
        import socket
        import ssl

        server = self.access.server
        causes = tuple(_causes(error))
        certificate = next((one for one in causes if isinstance(one, ssl.SSLCertVerificationError)), None)
        if certificate is not None:
            return self._untrusted(certificate.verify_message)
        text = str(error)
        if any(isinstance(one, ssl.SSLError) for one in causes):
            if "WRONG_VERSION_NUMBER" in text or "RECORD_LAYER" in text:
                return self._error(f"what answers at {server} does not speak TLS")
            return self._error(f"no TLS connection to {server} came about", "it may not accept the client certificate")
        if any(isinstance(one, socket.gaierror) for one in causes) or "NameResolution" in text:
            return self._error(f"the host name '{urlsplit(server).hostname}' was not resolved")
        if any(isinstance(one, ConnectionRefusedError) for one in causes):
            return self._error(f"{server} refused the connection")
        if any(isinstance(one, TimeoutError) for one in causes) or "timed out" in text:
            return self._error(f"{server} did not answer in time")
        reason = next((one.strerror for one in causes if isinstance(one, OSError) and one.strerror), "")
        return self._error(f"the connection to {server} broke", reason or type(error).__name__)

    def _untrusted(self, message: str) -> ClusterError:
        who = "the connection's authority" if self.access.authority else "an authority that this machine knows"
        if "ostname mismatch" in message or "IP address mismatch" in message:
            what = f"the certificate of {self.access.server} is for another host"
        elif "expired" in message:
            what = f"the certificate of {self.access.server} has expired"
        else:
            what = f"the certificate of {self.access.server} is not signed by {who}"
        return self._error(what, message)

    def _error(self, what: str, why: str = "", do: str = "", *, status: int = 0, reason: str = "") -> ClusterError:
        error = ClusterError(what, where=self.where, why=why, do=do)
        error.status = status
        error.reason = reason
        return error


def _resource(prefix: str, listed: Mapping[str, Any]) -> Resource:
    plural, kind = str(listed["name"]), str(listed.get("kind", ""))
    names = {plural, kind, str(listed.get("singularName") or kind), *map(str, listed.get("shortNames") or ())}
    return Resource(
        prefix=prefix,
        plural=plural,
        kind=kind,
        namespaced=bool(listed.get("namespaced")),
        names=frozenset(one.casefold() for one in names),
    )


@contextlib.contextmanager
def open_cluster(access: Access, *, where: str, temp: Path | None = None) -> Iterator[Cluster]:
    """Open a cluster; a client's key lies in a private file below `temp` for as long as this lasts.

    Raises `VerificationError` for an address that no API server has.
    """
    parts = urlsplit(access.server)
    check_host(parts.hostname or "", parts.port or 443, name=where, shown=access.server)
    with contextlib.ExitStack() as stack:
        client_files: tuple[str, str] | None = None
        if access.certificate and access.key:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kubernetes-", dir=temp)))
            client_files = (
                _written(folder / "client.pem", access.certificate.reveal()),
                _written(folder / "client.key", access.key.reveal()),
            )
        client = _client(access, client_files)
        line = Line()
        stack.callback(line.close)
        stack.callback(client.rest_client.pool_manager.clear)
        _watch_peers(client.rest_client.pool_manager, where, line)
        yield Cluster(access=access, where=where, client=client, line=line)


def _client(access: Access, client_files: tuple[str, str] | None) -> ApiClient:
    import urllib3
    from kubernetes.client import ApiClient, Configuration

    certificate, key = client_files or (None, None)
    configuration = Configuration(
        host=access.server,
        verify_ssl=not access.insecure,
        ca_cert_data=access.authority or None,
        tls_server_name=access.server_name or None,
        # nothing is sent twice unasked, and nothing to where a stranger redirects
        retries=urllib3.Retry(0, redirect=0, raise_on_redirect=False),
        cert_file=certificate,
        key_file=key,
    )
    client = ApiClient(configuration)
    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    client.rest_client.pool_manager.connection_pool_kw["timeout"] = timeout
    return client


def _watch_peers(manager: Any, where: str, line: Line) -> None:
    """Look at the address that each connection has reached before anything is said: names may change their mind."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    def check(connection: Any) -> None:
        with contextlib.suppress(OSError, AttributeError):
            host, port = connection.sock.getpeername()[:2]
            check_host(str(host), int(port), name=where)

    def shown(opened: socket.socket) -> socket.socket:
        line.add(opened)  # before a handshake, which may take its time too
        return opened

    class Watched(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return shown(super()._new_conn())

        def connect(self) -> None:
            super().connect()
            check(self)

    class WatchedTls(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return shown(super()._new_conn())

        def connect(self) -> None:
            super().connect()
            check(self)

    class Plain(HTTPConnectionPool):
        ConnectionCls = Watched

    class Tls(HTTPSConnectionPool):
        ConnectionCls = WatchedTls

        def _validate_conn(self, conn: Any) -> None:
            # as the base class, without its warning on standard error: the connection itself says what it trusts
            if conn.is_closed:
                conn.connect()

    manager.pool_classes_by_scheme = {"http": Plain, "https": Tls}


def _written(path: Path, text: str) -> str:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(fd, "w") as file:
        file.write(text)
    return str(path)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that led to it."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop(0)
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            related = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
            waiting.extend(other for other in related if isinstance(other, BaseException))
