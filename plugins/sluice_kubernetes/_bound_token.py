"""Short-lived tokens of a service account, asked for at each use (TokenRequest)."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

from sluice.plugin import Connection, Secret
from sluice_kubernetes._access import Access
from sluice_kubernetes._cluster import ClusterError, open_cluster


def with_bound_token(connection: Connection, access: Access, account: str, seconds: int) -> Access:
    """The same cluster with a token of the service account NAMESPACE/NAME, and nothing of the stored credentials."""
    namespace, _, name = account.partition("/")
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/serviceaccounts/{quote(name, safe='')}/token"
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": seconds},
    }
    with open_cluster(access, where=connection.name) as cluster:
        try:
            answer = cluster.ask("POST", path, body=request)
        except ClusterError as error:
            raise _told(error, account) from None
    status = answer.get("status")
    token = status.get("token") if isinstance(status, dict) else None
    if not isinstance(token, str) or not token:
        raise ClusterError(f"the cluster gives no token for the service account {account}", where=connection.name)
    return replace(
        access,
        token=Secret(token),
        certificate=None,
        key=None,
        username="",
        password=None,
        namespace=access.namespace or namespace,
    )


def _told(error: ClusterError, account: str) -> ClusterError:
    what = f"the cluster gives no token for the service account {account}"
    if error.is_missing:
        why, do = "there is no such service account", ""
    elif error.status == 403:
        why = "the stored credentials may not ask for one"
        do = "give them a role with the verb 'create' on 'serviceaccounts/token' in its namespace"
    else:
        why, do = error.what, error.do
    told = ClusterError(what, where=error.where, why=why, do=do)
    told.status = error.status
    return told
