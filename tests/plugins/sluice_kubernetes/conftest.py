"""Kubeconfigs as people have them."""

from __future__ import annotations

import base64
from typing import Any

PEM = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIC\n-----END PRIVATE KEY-----\n"
TOKEN = "token-of-the-cluster-4711"
SERVER = "https://cluster.example.org:6443"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def kubeconfig(user: dict[str, Any] | None = None, **cluster: Any) -> dict[str, Any]:
    """A kubeconfig with the contexts `here` (its user is given) and `other`."""
    known = {"server": SERVER, "certificate-authority-data": encoded(PEM)} | cluster
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "preferences": {},
        "current-context": "here",
        "clusters": [
            {"name": "test", "cluster": {name: value for name, value in known.items() if value is not None}},
            {"name": "far", "cluster": {"server": "https://other.example.org", "certificate-authority": "/ca"}},
        ],
        "users": [
            {"name": "somebody", "user": {"token": TOKEN} if user is None else user},
            {"name": "stranger", "user": {"token": "other-token"}},
        ],
        "contexts": [
            {"name": "here", "context": {"cluster": "test", "user": "somebody", "namespace": "shop"}},
            {"name": "other", "context": {"cluster": "far", "user": "stranger"}},
        ],
    }
