"""The family passes what every plugin should pass."""

from __future__ import annotations

from typing import ClassVar

import pytest
import yaml
from tests.plugins.sluice_kubernetes.conftest import kubeconfig

import sluice_kubernetes
from sluice.plugin import Connection, ConnectionType
from sluice.testing.conformance import PluginConformance
from sluice.testing.connections import make_connection


class TestConformance(PluginConformance):
    plugin = sluice_kubernetes

    @pytest.fixture(autouse=True)
    def no_entra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody issues tokens here: no test goes beyond this machine."""
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1")
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")

    files: ClassVar = {"pod.yml": "{apiVersion: v1, kind: Pod, metadata: {name: a}}\n"}
    inputs: ClassVar = {
        "Kubernetes@1": {"secretType": "generic", "secretName": "s", "secretArguments": "--from-literal=a=1"},
        "KubernetesManifest@1": {"action": "deploy", "manifests": "pod.yml"},
    }

    def connection(self, kind: ConnectionType, scheme: str, address: str) -> Connection | None:
        """The address of a cluster is in the text of a kubeconfig."""
        user = {"token": "canary-token-of-a-user-4711"}
        cluster = {"server": address, "certificate-authority-data": None}
        values = {"kubeconfig": yaml.safe_dump(kubeconfig(user, **cluster), default_flow_style=True, width=10_000)}
        if scheme == "Token":
            values = {"apitoken": "canary.token.0815"}
        return make_connection(kind, "sample", url=address, scheme=scheme, values=values)
