"""A cluster by its HTTP gateway: who may ask it, what it answers, and what its refusals mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

from sluice.plugin import Answer, Connection, Probe, Secret, SluiceError, TaskFailedError, VerificationError
from sluice_service_fabric import _entra, _windows
from sluice_service_fabric._certificates import tls_of
from sluice_service_fabric._words import printable

BODY = 16 << 20
"""Answers are no longer than this (bytes)."""
GATEWAY_PORT = 19080
VERSION = "6.0"
"""Of the API, for what has no newer one."""
JSON = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}


def verify(connection: Connection) -> str:
    """Ask for the version of the cluster, as a client of it may; tells the reasons apart."""
    cluster = Cluster.open(connection)
    answer = cluster.ask("GET", "/$/GetClusterVersion", version="6.4")
    body = answer.json()
    if not answer.ok or not isinstance(body, dict) or "Version" not in body:
        raise cluster.refusal(answer)
    text = f"the cluster at {answer.origin} has version {printable(body['Version'], most=50)}"
    if answer.origin.scheme == "http" and connection.text("Unsecured") == "true":
        text += "; it is asked without any security"
    return text


def gateway(connection: Connection) -> str:
    """The address of the HTTP gateway: the connection's own, or port 19080 of its endpoint."""
    if own := connection.text("httpGatewayEndpoint"):
        return own.rstrip("/")
    try:
        host = urlsplit(connection.url).hostname
    except ValueError:
        host = None
    if not host:
        what = f"the cluster endpoint '{printable(connection.url)}' names no host"
        raise VerificationError(what, where=connection.name, do="it is such as tcp://mycluster.example.com:19000")
    secure = connection.scheme.casefold() != "none"
    return f"{'https' if secure else 'http'}://{f'[{host}]' if ':' in host else host}:{GATEWAY_PORT}"


class Cluster:
    """Asks the gateway as the connection's client."""

    def __init__(self, connection: Connection, probe: Probe) -> None:
        self._connection = connection
        self._probe = probe
        self._base = gateway(connection)

    @classmethod
    def open(cls, connection: Connection) -> Cluster:
        """Get together what the client shows; for an Entra account that asks for a token."""
        scheme = connection.scheme.casefold()
        base = gateway(connection)
        probe = Probe(connection=connection, headers=JSON)
        if base.startswith("https:") and scheme != "none":
            tls, any_authority = tls_of(connection)
            probe = replace(probe, tls=tls, trust_any_certificate=any_authority)
        elif scheme != "none":
            raise VerificationError(
                "credentials are not sent without TLS", where=connection.name, why=f"the gateway is {base}"
            )
        if scheme == "usernamepassword":
            token = _entra.token(connection, cls(connection, probe).aad_metadata())
            probe = replace(probe, authorization=Secret(f"Bearer {token.reveal()}"))
        elif scheme == "none" and connection.text("Unsecured") != "true":
            probe = replace(probe, authorization=_windows.negotiate(connection))
        return cls(connection, probe)

    def ask(
        self,
        method: str,
        path: str,
        *,
        version: str = VERSION,
        query: Mapping[str, str] | None = None,
        body: object = None,
        content: IO[bytes] | bytes | None = None,
    ) -> Answer:
        """One request; `path` is quoted already. Raises `VerificationError` when nobody answers."""
        told = urlencode({"api-version": version, **(query or {})})
        sent: IO[bytes] | bytes = content if content is not None else json.dumps(body).encode() if body else b""
        return self._probe.ask(f"{self._base}{path}?{told}", method=method, body=sent, limit=BODY, follow=False)

    def get(self, path: str, *, version: str = VERSION, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """The JSON object at a path; `{}` where there is nothing (204 or 404)."""
        answer = self.ask("GET", path, version=version, query=query)
        if answer.status in {204, 404}:
            return {}
        body = answer.json()
        if not answer.ok or not isinstance(body, dict):
            raise self.refusal(answer)
        return body

    def change(self, method: str, path: str, *, version: str = VERSION, **more: Any) -> None:
        """A request that changes something; raises `ClusterError` when it is refused."""
        answer = self.ask(method, path, version=version, **more)
        if not answer.ok:
            raise ClusterError(self._connection.name, answer, self.refusal(answer))

    def aad_metadata(self) -> dict[str, Any]:
        """Where the cluster's clients log in; everybody may know."""
        answer = self.ask("GET", "/$/GetAadMetadata")
        body = answer.json()
        found = body.get("metadata") if answer.ok and isinstance(body, dict) and body.get("type") == "aad" else None
        if not isinstance(found, dict):
            if answer.ok:
                what = "the cluster knows its clients by certificates only, not by Entra accounts"
                raise VerificationError(what, where=self._connection.name, why="it names no Entra tenant")
            raise self.refusal(answer)
        return found

    def refusal(self, answer: Answer) -> VerificationError:
        """Why the gateway refused."""
        where, told = self._connection.name, _told(answer)
        why = f"{answer.shown}{f' ({told})' if told else ''}"
        if answer.status == 401:
            return VerificationError("the cluster does not accept the credentials", where=where, why=why)
        if answer.status == 403:
            what = "the cluster does not let this client do that: it does not know it, or only as a reader"
            do = "list the certificate or account among the admin clients of the cluster's manifest"
            return VerificationError(what, where=where, why=why, do=do)
        if told:
            return VerificationError(f"the cluster refuses: {told}", where=where, why=answer.shown)
        if answer.status == 404 or answer.ok or 300 <= answer.status < 400:
            what = f"there is no HTTP gateway of Service Fabric at {answer.origin}"
            do = f"sluice connection update {where} --set httpGatewayEndpoint=https://HOST:{GATEWAY_PORT}"
            return VerificationError(what, where=where, why=why, do=do)
        return VerificationError("the cluster answered with an error", where=where, why=why)


class ClusterError(TaskFailedError):
    """The cluster refused a change; `code` is its own word for why, such as `FABRIC_E_APPLICATION_EXISTS`."""

    def __init__(self, connection: str, answer: Answer, refusal: SluiceError) -> None:
        super().__init__(refusal.what, where=connection, why=refusal.why, do=refusal.do)
        self.code = _error(answer).get("Code", "")


def quoted(name: str) -> str:
    """A name as one part of a path."""
    return quote(name, safe="~")


def _error(answer: Answer) -> dict[str, str]:
    body = answer.json()
    error = body.get("Error") if isinstance(body, dict) else None
    return {key: str(value) for key, value in error.items()} if isinstance(error, dict) else {}


def _told(answer: Answer) -> str:
    error = _error(answer)
    return printable(": ".join(one for one in (error.get("Code", ""), error.get("Message", "")) if one))
