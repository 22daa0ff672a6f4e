"""Speaks with an API server, through the Kubernetes client, and tells apart why there is no answer."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

from sluice.plugin import CanceledError, TaskFailedError, basic, check_host
from sluice_kubernetes._access import Access
from sluice_kubernetes._transport import Line, client_of, watch_peers, write_private

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

MAX_ANSWER = 64 << 20
"""Bytes of an answer, beyond which nothing is read: a list of all pods of a large cluster has a few."""

TRIES = 5
TOO_MANY = 429
LONGEST_PAUSE = 30.0

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
        """The JSON object that the server answers; raises `ClusterError`, and `CanceledError` after `hang_up`.

        A server that is asked too often says when it may be asked again; that is waited for, a few times.
        """
        url = self.access.server + path + (f"?{urlencode(query)}" if query else "")
        text = None if body is None else json.dumps(body)
        for _ in range(TRIES - 1):
            status, content, later = self._send(method, url, text, content_type)
            if status != TOO_MANY:
                return self._answer(status, content)
            if self.line.wait(min(later, LONGEST_PAUSE)):
                raise _canceled()
        status, content, _ = self._send(method, url, text, content_type)
        return self._answer(status, content)

    def _send(self, method: str, url: str, text: str | None, content_type: str) -> tuple[int, bytes, float]:
        """Status and content of an answer, and the seconds after which to ask again."""
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        headers = {"Accept": JSON, "User-Agent": "sluice", **self._authorization()}
        if text is not None:
            headers["Content-Type"] = content_type
        try:
            # the client's manager of connections itself: what the server says about a refusal is in its answer
            with self.client.rest_client.pool_manager.request(
                method, url, body=text, headers=headers, preload_content=False
            ) as response:
                content = response.read(MAX_ANSWER + 1)
                status, later = int(response.status), str(response.headers.get("Retry-After", ""))
        except (HTTPError, ApiException, OSError) as error:
            if self.line.is_cut:
                raise _canceled() from None
            raise self._unreachable(error) from None
        if len(content) > MAX_ANSWER:
            raise self._error(f"{self.access.server} answers more than {MAX_ANSWER >> 20} MiB", status=status)
        return status, content, float(later) if later.isdecimal() else 1.0

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
                write_private(folder / "client.pem", access.certificate.reveal()),
                write_private(folder / "client.key", access.key.reveal()),
            )
        client = client_of(access, client_files)
        line = Line()
        stack.callback(line.close)
        stack.callback(client.rest_client.pool_manager.clear)
        watch_peers(client.rest_client.pool_manager, where, line)
        yield Cluster(access=access, where=where, client=client, line=line)


def _canceled() -> CanceledError:
    return CanceledError("canceled while the cluster was asked")


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
