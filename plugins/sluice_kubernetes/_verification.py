"""Tries a connection: who the cluster takes it for, and what it may do where tasks would work.

Nothing is changed there: reviews are questions that Kubernetes wants in the form of an object.
"""

from __future__ import annotations

from typing import Any

from sluice.plugin import Connection, SluiceError, VerificationError
from sluice_kubernetes._cluster import Cluster, ClusterError, open_cluster
from sluice_kubernetes._connection import access_of

ANONYMOUS = "system:anonymous"


def verify(connection: Connection) -> str:
    """A sentence with the cluster's version, the account, and what it may do; raises `VerificationError` otherwise."""
    try:
        access = access_of(connection)
        with open_cluster(access, where=connection.name) as cluster:
            return _told(cluster, access.namespace or "default")
    except VerificationError:
        raise
    except SluiceError as error:
        raise VerificationError(error.what, where=connection.name, why=error.why, do=error.do) from None


def _told(cluster: Cluster, namespace: str) -> str:
    version = _version(cluster)
    text = f"{cluster.access.server} is Kubernetes {version} and knows the credentials as {_account(cluster)}"
    may = _may(cluster, namespace)
    text += f"; they may {'' if may else 'NOT '}change deployments in the namespace '{namespace}'"
    if not may:
        text += " (a role and its binding are missing, if tasks are to deploy there)"
    if cluster.access.insecure:
        text += "; the server's certificate was not checked (acceptUntrustedCerts)"
    elif cluster.access.server.startswith("http://"):
        text += "; the credentials were sent without encryption: use https where you can"
    return text


def _version(cluster: Cluster) -> str:
    try:
        return _printable(cluster.ask("GET", "/version").get("gitVersion", ""))
    except ClusterError as error:
        if error.status in {401, 403}:  # a cluster may keep that to itself
            return "(of an unknown version)"
        raise


def _account(cluster: Cluster) -> str:
    """Who the cluster takes us for, where it can say so (since 1.28); that it knows us, elsewhere."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
    try:
        answer = cluster.ask("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body=review)
    except ClusterError as error:
        if error.status not in {403, 404}:
            raise
        if f'"{ANONYMOUS}"' in error.what:
            raise _unknown(cluster) from None
        return "somebody it does not name"
    status: Any = answer.get("status")
    user = status.get("userInfo") if isinstance(status, dict) else None
    name = str(user.get("username", "")) if isinstance(user, dict) else ""
    if name == ANONYMOUS:
        raise _unknown(cluster)
    return _printable(name) or "somebody it does not name"


def _unknown(cluster: Cluster) -> VerificationError:
    why = "it takes whoever shows them for anonymous"
    return VerificationError("the cluster does not know the credentials", where=cluster.where, why=why)


def _may(cluster: Cluster, namespace: str) -> bool:
    attributes = {"namespace": namespace, "verb": "patch", "group": "apps", "resource": "deployments"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = cluster.ask("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", body=review)
    status: Any = answer.get("status")
    return bool(status.get("allowed")) if isinstance(status, dict) else False


def _printable(text: object) -> str:
    return "".join(letter for letter in str(text)[:200] if letter.isprintable())
