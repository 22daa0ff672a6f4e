"""Kubernetes: connections to clusters, and the tasks that deploy to them."""

from __future__ import annotations

from sluice.plugin import Connection, Family, hookimpl
from sluice_kubernetes._types import KUBERNETES


def verify(connection: Connection) -> str:
    """Ask the cluster whom it takes the credentials for."""
    from sluice_kubernetes._verification import verify

    return verify(connection)


def prepare(connection: Connection) -> Connection:
    """Give a use of the connection what it needs and no more: fresh tokens, a kubeconfig that runs nothing."""
    from sluice_kubernetes._connection import prepare

    return prepare(connection)


@hookimpl
def sluice_family() -> Family:
    return Family(
        types=(KUBERNETES,),
        verify={KUBERNETES.name: verify},
        prepare={KUBERNETES.name: prepare},
    )
