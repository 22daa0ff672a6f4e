"""Reads a kubeconfig by a strict schema: what could run a program or read a file of this machine is refused.

Only the chosen context counts; what else the text holds is dropped, since a kubeconfig is written anew from what was
read. A program of `exec` is run when its absolute path is on the list that the machine's owner keeps.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sluice.plugin import Secret, TaskFailedError
from sluice_kubernetes._access import Access

MAX_LENGTH = 63_000
"""Characters of a kubeconfig, as the connection type of Azure Pipelines has it."""

FLATTEN = "kubectl config view --flatten --minify --raw > kubeconfig, which puts files into the text"

_TOP = frozenset(
    {"apiVersion", "kind", "preferences", "extensions", "clusters", "users", "contexts", "current-context"}
)
_CLUSTER = frozenset(
    {
        "server",
        "certificate-authority-data",
        "insecure-skip-tls-verify",
        "tls-server-name",
        "disable-compression",
        "extensions",
    }
)
_USER = frozenset({"token", "client-certificate-data", "client-key-data", "username", "password", "exec", "extensions"})
_CONTEXT = frozenset({"cluster", "user", "namespace", "extensions"})
_FILES = frozenset({"certificate-authority", "client-certificate", "client-key", "tokenFile"})
_REFUSED = {
    "proxy-url": "requests would go to another place than the server that the connection names",
    "auth-provider": "it runs a program, or asks a place of its choosing, for a token",
    "as": "a connection acts as itself, not for somebody else",
    "as-uid": "a connection acts as itself, not for somebody else",
    "as-groups": "a connection acts as itself, not for somebody else",
    "as-user-extra": "a connection acts as itself, not for somebody else",
}


class KubeconfigError(TaskFailedError):
    """A kubeconfig is none, or holds what is refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecPlugin:
    """A program that a kubeconfig names for its credentials; nobody has run it yet."""

    command: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str]
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """What the chosen context says: how the cluster is reached, and perhaps a program that knows the credentials."""

    access: Access
    exec: ExecPlugin | None = None


def read_kubeconfig(text: Secret, *, context: str = "", accept_untrusted: bool = False, where: str = "") -> Kubeconfig:
    """The chosen context of a kubeconfig; raises `KubeconfigError` naming `where` and what is wrong, never a value."""
    reader = _Reader(where, accept_untrusted=accept_untrusted)
    return reader.read(load_yaml(text.reveal(), "the kubeconfig", where), context)


def load_yaml(text: str, what: str, where: str) -> dict[str, Any]:
    """A YAML mapping from a stranger, in bounded time: no aliases, no tags, no depth without end."""
    import yaml

    class Plain(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise KubeconfigError(f"{what} uses YAML aliases, which are refused", where=where)
            return super().compose_node(parent, index)

    if len(text) > MAX_LENGTH:
        raise KubeconfigError(f"{what} is longer than {MAX_LENGTH} characters", where=where)
    try:
        content = yaml.load(text, Plain)  # noqa: S506  # it is a SafeLoader
    except yaml.MarkedYAMLError as error:
        # the problem alone: its context shows lines of the text
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise KubeconfigError(f"{what} is no YAML", where=where, why=f"line {line}" if line else "") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise KubeconfigError(f"{what} is no YAML", where=where) from None
    if not isinstance(content, dict):
        raise KubeconfigError(f"{what} is no YAML mapping", where=where)
    return content


def decode(text: object, what: str, where: str) -> str:
    """Base64 of text."""
    try:
        return base64.b64decode("".join(str(text).split()), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise KubeconfigError(f"{what} is not the base64 of a text", where=where) from None


def pem(text: str, what: str, where: str) -> str:
    """The text, when it has the look of PEM."""
    if "-----BEGIN " not in text:
        raise KubeconfigError(f"{what} is no PEM text", where=where)
    return text


def check_server(server: object, where: str) -> str:
    """The address of an API server: https or http, a host, no log-in in it."""
    text = str(server or "").strip().rstrip("/")
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        raise KubeconfigError("the server's address is no URL", where=where) from None
    if parts.scheme not in {"https", "http"} or not parts.hostname:
        raise KubeconfigError("the server's address is no https:// URL", where=where)
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise KubeconfigError("the server's address holds more than a host, a port and a path", where=where)
    return text


class _Reader:
    def __init__(self, where: str, *, accept_untrusted: bool) -> None:
        self._where = where
        self._accept_untrusted = accept_untrusted

    def read(self, content: dict[str, Any], wanted: str) -> Kubeconfig:
        self._known(content, _TOP, "the kubeconfig")
        if content.get("apiVersion", "v1") != "v1" or content.get("kind", "Config") != "Config":
            raise self._error("the text is no kubeconfig", "its apiVersion and kind are not 'v1' and 'Config'")
        chosen = wanted or self._text(content, "current-context", "the kubeconfig")
        context = self._context(content, chosen)
        cluster = self._named(content, "cluster", self._text(context, "cluster", "the context"))
        user = self._named(content, "user", self._text(context, "user", "the context"), needed=False)
        self._known(cluster, _CLUSTER, "the cluster")
        self._known(user, _USER, "the user")
        access = Access(
            server=check_server(cluster.get("server"), self._where),
            authority=self._pem(cluster, "certificate-authority-data"),
            insecure=self._insecure(cluster),
            server_name=self._text(cluster, "tls-server-name", "the cluster"),
            namespace=self._text(context, "namespace", "the context"),
            context=chosen,
            token=self._secret(user, "token"),
            certificate=Secret(self._pem(user, "client-certificate-data")) or None,
            key=Secret(self._pem(user, "client-key-data")) or None,
            username=self._text(user, "username", "the user"),
            password=self._secret(user, "password"),
        )
        if bool(access.certificate) is not bool(access.key):
            raise self._error("a client certificate and its key go together, and one of them is missing")
        return Kubeconfig(access=access, exec=self._exec(user))

    def _context(self, content: dict[str, Any], chosen: str) -> dict[str, Any]:
        names = ", ".join(name for name, _ in self._entries(content, "context")) or "none"
        if not chosen:
            raise self._error(
                "the kubeconfig has no current context",
                f"it has: {names}",
                do=f"sluice connection update '{self._where}' --set clusterContext=NAME",
            )
        found = dict(self._entries(content, "context")).get(chosen)
        if found is None:
            raise self._error(
                f"the kubeconfig has no context '{chosen[:80]}'",
                f"it has: {names}",
                do=f"sluice connection update '{self._where}' --set clusterContext=NAME",
            )
        self._known(found, _CONTEXT, "the context")
        return found

    def _entries(self, content: dict[str, Any], kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
        entries = content.get(f"{kind}s") or []
        if not isinstance(entries, list):
            raise self._error(f"'{kind}s' of the kubeconfig is no list")
        for entry in entries:
            inner = entry.get(kind) if isinstance(entry, dict) else None
            if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
                raise self._error(f"an entry of '{kind}s' of the kubeconfig has no name")
            if not isinstance(inner, dict | None):
                raise self._error(f"an entry of '{kind}s' of the kubeconfig is no mapping")
            yield entry["name"], inner or {}

    def _named(self, content: dict[str, Any], kind: str, name: str, *, needed: bool = True) -> dict[str, Any]:
        found = dict(self._entries(content, kind)).get(name)
        if found is None and (needed or name):
            raise self._error(f"the kubeconfig has no {kind} '{name[:80]}', which its context names")
        return found or {}

    def _known(self, mapping: Mapping[Any, Any], known: frozenset[str], what: str) -> None:
        for key in mapping:
            if key in known:
                continue
            if key in _FILES:
                raise self._error(f"'{key}' names a file, and files of the machine are not read", do=FLATTEN)
            if key in _REFUSED:
                raise self._error(f"'{key}' of {what} is refused", _REFUSED[key])
            raise self._error(f"{what} has a key '{str(key)[:80]}', which no kubeconfig has")

    def _insecure(self, cluster: Mapping[str, Any]) -> bool:
        written = cluster.get("insecure-skip-tls-verify", False)
        if not isinstance(written, bool):
            raise self._error("'insecure-skip-tls-verify' is neither true nor false")
        if written and not self._accept_untrusted:
            raise self._error(
                "'insecure-skip-tls-verify' is refused: nobody would notice whom the credentials are sent to",
                do="put the authority's certificate into the kubeconfig, as certificate-authority-data; or say it where "
                f"approvers see it: sluice connection update '{self._where}' --set acceptUntrustedCerts=true",
            )
        return self._accept_untrusted

    def _exec(self, user: Mapping[str, Any]) -> ExecPlugin | None:
        written = user.get("exec")
        if written is None:
            return None
        if not isinstance(written, dict) or not isinstance(written.get("command"), str):
            raise self._error("'exec' of the user is no mapping with a command")
        arguments = written.get("args") or []
        variables = written.get("env") or []
        if not isinstance(arguments, list) or not isinstance(variables, list):
            raise self._error("'args' and 'env' of 'exec' are lists")
        environment = {str(one.get("name")): str(one.get("value")) for one in variables if isinstance(one, dict)}
        return ExecPlugin(
            command=written["command"],
            arguments=tuple(str(one) for one in arguments),
            environment=environment,
            version=str(written.get("apiVersion", "")),
        )

    def _text(self, mapping: Mapping[str, Any], key: str, what: str) -> str:
        value = mapping.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise self._error(f"'{key}' of {what} is no text")
        return value

    def _secret(self, mapping: Mapping[str, Any], key: str) -> Secret | None:
        return Secret(self._text(mapping, key, "the user").strip()) or None

    def _pem(self, mapping: Mapping[str, Any], key: str) -> str:
        written = mapping.get(key)
        return pem(decode(written, f"'{key}'", self._where), f"'{key}'", self._where) if written else ""

    def _error(self, what: str, why: str = "", do: str = "") -> KubeconfigError:
        return KubeconfigError(what, where=self._where, why=why, do=do)
