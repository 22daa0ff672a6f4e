"""A service connection as access to a cluster, by whichever of its three methods it keeps credentials."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sluice.plugin import Connection, Secret, TaskFailedError
from sluice_kubernetes._access import Access
from sluice_kubernetes._exec_plugin import run_plugin
from sluice_kubernetes._kubeconfig import (
    KubeconfigError,
    check_server,
    decode,
    load_yaml,
    pem,
    read_kubeconfig,
)
from sluice_kubernetes._types import AZURE, KUBECONFIG, SERVICE_ACCOUNT

LEAST_SECONDS = 600
"""The shortest life of a token that an API server issues."""

_DEFAULT_SECONDS = 3600
_JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")


def access_of(connection: Connection) -> Access:
    """Access to the cluster of a connection; the far side may be asked for it (bound tokens, AKS).

    Raises `TaskFailedError` (`KubeconfigError` for what the text of a kubeconfig holds) when there is none.
    """
    access = _stored(connection)
    bound = connection.text("boundServiceAccount")
    if bound:
        from sluice_kubernetes._bound_token import with_bound_token

        return with_bound_token(connection, access, bound, _bound_seconds(connection))
    return access


def prepare(connection: Connection) -> Connection:
    """The connection as tasks receive it, unmodified packages too: without what was refused or has been used up.

    A kubeconfig is written anew from what was read of it. Each secret stands by itself as well, for the mask.
    """
    method = method_of(connection)
    access = access_of(connection)
    data = {
        name: value
        for name, value in connection.data.items()
        if name.casefold() not in {"boundserviceaccount", "boundtokenseconds", "authorizationtype"}
    }
    parameters: dict[str, str | Secret] = {}
    if method == SERVICE_ACCOUNT and access.token:
        data["authorizationType"] = SERVICE_ACCOUNT
        parameters["apitoken"] = Secret(base64.b64encode(access.token.reveal().encode()).decode("ascii"))
        parameters["token"] = access.token
        if access.authority:
            encoded = base64.b64encode(access.authority.encode()).decode("ascii")
            parameters["serviceAccountCertificate"] = Secret(encoded)
        if access.namespace and "namespace" not in data:
            data["namespace"] = access.namespace
        return replace(connection, url=access.server, parameters=parameters, data=data)
    data["authorizationType"] = KUBECONFIG
    parameters["kubeconfig"] = access.kubeconfig()
    named = {"token": access.token, "clientKey": access.key, "password": access.password}
    parameters.update({name: secret for name, secret in named.items() if secret})
    return replace(connection, url=access.server, scheme="Kubernetes", parameters=parameters, data=data)


def method_of(connection: Connection) -> str:
    """Which of the three methods the connection uses."""
    if connection.scheme.casefold() == "token":
        return SERVICE_ACCOUNT
    written = connection.text("authorizationType").casefold()
    known = {one.casefold(): one for one in (KUBECONFIG, SERVICE_ACCOUNT, AZURE)}
    return known.get(written, KUBECONFIG)


def accepts_untrusted(connection: Connection) -> bool:
    """Whether nobody's certificate is looked at: tasks compare with the exact word."""
    return connection.text("acceptUntrustedCerts") == "true"


def _stored(connection: Connection) -> Access:
    method = method_of(connection)
    if method == SERVICE_ACCOUNT or (method == AZURE and connection.secret("apiToken")):
        access = _service_account(connection)
    elif method == AZURE:
        from sluice_kubernetes._azure import access_by_subscription

        access = access_by_subscription(connection)
    else:
        access = _kubeconfig(connection)
    namespace = connection.text("namespace") or access.namespace
    return replace(access, namespace=namespace)


def _kubeconfig(connection: Connection) -> Access:
    text = connection.secret("kubeconfig")
    if not text:
        raise _missing(connection, "kubeconfig", "kubeconfig=@FILE")
    return opened(text, connection, context=connection.text("clusterContext"))


def opened(text: Secret, connection: Connection, *, context: str = "") -> Access:
    """Access by a kubeconfig, whose program has been run when it is one that is listed."""
    read = read_kubeconfig(text, context=context, accept_untrusted=accepts_untrusted(connection), where=connection.name)
    access = read.access
    if read.exec is not None:
        answer = run_plugin(read.exec, where=connection.name)
        access = replace(access, token=answer.token, certificate=answer.certificate, key=answer.key)
    if not (access.token or access.certificate or access.password):
        raise KubeconfigError(
            f"the user of the context '{access.context}' has no credentials in the kubeconfig", where=connection.name
        )
    return access


def _service_account(connection: Connection) -> Access:
    given = connection.secret("apitoken")
    if not given:
        raise _missing(connection, "service-account token", "apitoken=@FILE")
    text = given.reveal().strip()
    authority = connection.secret("serviceAccountCertificate")
    certificate = _certificate(authority.reveal(), connection.name) if authority else ""
    if text.startswith(("{", "apiVersion:")) or "\n" in text:
        fields = _secret_object(load_yaml(text, "the Secret", connection.name), connection.name)
        token = decode(fields["token"], "the Secret's token", connection.name)
        if not certificate and fields.get("ca.crt"):
            certificate = _certificate(str(fields["ca.crt"]), connection.name)
        namespace = (
            decode(fields["namespace"], "the Secret's namespace", connection.name) if fields.get("namespace") else ""
        )
    else:
        token = text if _JWT.fullmatch(text) else decode(text, "the token", connection.name).strip()
        namespace = ""
    if not connection.url:
        raise TaskFailedError(
            "the connection has no server URL",
            where=connection.name,
            do=f"sluice connection update '{connection.name}' --url https://HOST:6443; "
            "kubectl config view --minify -o 'jsonpath={.clusters[0].cluster.server}' prints it",
        )
    return Access(
        server=check_server(connection.url, connection.name),
        authority=certificate,
        insecure=accepts_untrusted(connection),
        namespace=namespace,
        token=Secret(token),
    )


def _certificate(text: str, where: str) -> str:
    what = "the cluster's certificate"
    return text if "-----BEGIN " in text else pem(decode(text, what, where), what, where)


def _secret_object(content: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """The data of a service account's Secret."""
    if content.get("kind") != "Secret":
        raise KubeconfigError(
            "the token is no Secret object, and nothing else that has several lines",
            where=where,
            do="kubectl get secret NAME -n NAMESPACE -o yaml prints it",
        )
    fields = content.get("data")
    if not isinstance(fields, dict) or not fields.get("token"):
        raise KubeconfigError(
            "the Secret has no token",
            where=where,
            why="it is not of the type kubernetes.io/service-account-token, or the cluster has not filled it in yet",
            do="clusters since 1.24 make none by themselves: apply a Secret of that type with the annotation "
            "kubernetes.io/service-account.name, or give the output of 'kubectl create token NAME' instead",
        )
    return fields


def _bound_seconds(connection: Connection) -> int:
    written = connection.text("boundTokenSeconds", str(_DEFAULT_SECONDS))
    if not written.isdecimal() or not LEAST_SECONDS <= int(written) <= 1 << 32:
        raise TaskFailedError(
            f"'boundTokenSeconds' is no number of seconds from {LEAST_SECONDS} on", where=connection.name
        )
    return int(written)


def _missing(connection: Connection, what: str, how: str) -> TaskFailedError:
    return TaskFailedError(
        f"the connection has no {what}",
        where=connection.name,
        do=f"sluice connection update '{connection.name}' --secret {how}",
    )
