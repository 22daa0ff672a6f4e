"""Objects in a cluster: created, replaced, applied and deleted through its API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice_kubernetes._cluster import APPLY, FIELD_MANAGER, Cluster, ClusterError, Object


def place_of(cluster: Cluster, namespace: str, described: Mapping[str, Any]) -> tuple[str, str]:
    """The path of the object's kind, and the path of the object itself."""
    resource = cluster.resource(str(described.get("apiVersion", "")), str(described.get("kind", "")))
    metadata = described["metadata"]
    where = str(metadata.get("namespace") or namespace)
    return resource.path(where), resource.path(where, str(metadata["name"]))


def get(cluster: Cluster, namespace: str, api_version: str, kind: str, name: str) -> Object | None:
    """An object, None when there is none."""
    try:
        return cluster.ask("GET", cluster.resource(api_version, kind).path(namespace, name))
    except ClusterError as error:
        if error.is_missing:
            return None
        raise


def put(cluster: Cluster, namespace: str, described: Mapping[str, Any], *, replace: bool, keep: bool = False) -> bool:
    """Create an object, or replace the one that is there; with `keep` one that is not replaced is no error.

    Answers whether it is the described one now.
    """
    folder, path = place_of(cluster, namespace, described)
    query = {"fieldManager": FIELD_MANAGER}
    try:
        cluster.ask("POST", folder, query=query, body=described)
    except ClusterError as error:
        if error.reason != "AlreadyExists":
            raise
        if not replace:
            if keep:
                return False
            raise
        _replace(cluster, folder, path, described)
    return True


def _replace(cluster: Cluster, folder: str, path: str, described: Mapping[str, Any]) -> None:
    query = {"fieldManager": FIELD_MANAGER}
    try:
        cluster.ask("PUT", path, query=query, body=described)
    except ClusterError as error:
        if error.reason != "Invalid":
            raise
        # the type of a secret, for one, is never changed: it is made anew then
        delete(cluster, path)
        cluster.ask("POST", folder, query=query, body=described)


def apply(cluster: Cluster, namespace: str, described: Mapping[str, Any]) -> Object:
    """Make an object what is described, leaving alone what others have set of it (server-side apply)."""
    _, path = place_of(cluster, namespace, described)
    query = {"fieldManager": FIELD_MANAGER, "force": "true"}
    # a manifest that was read from a cluster says who manages what, which is the cluster's to say
    metadata = {key: value for key, value in described["metadata"].items() if key != "managedFields"}
    return cluster.ask("PATCH", path, query=query, body={**described, "metadata": metadata}, content_type=APPLY)


def delete(cluster: Cluster, path: str, *, query: Mapping[str, str] | None = None) -> bool:
    """Delete an object with what belongs to it; whether there was one."""
    try:
        cluster.ask("DELETE", path, query={"propagationPolicy": "Background", **(query or {})})
    except ClusterError as error:
        if error.is_missing:
            return False
        raise
    return True
