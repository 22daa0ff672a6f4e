"""The family passes what every plugin should pass."""

from __future__ import annotations

import pytest

import sluice_docker
from sluice.plugin import Connection, ConnectionType
from sluice.testing.conformance import PluginConformance


class TestConformance(PluginConformance):
    plugin = sluice_docker

    @pytest.fixture(autouse=True)
    def no_entra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody issues tokens here: no test goes beyond this machine."""
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1")
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")

    def connection(self, kind: ConnectionType, scheme: str, address: str) -> Connection | None:
        """The identity of a machine is asked for at that machine, not at the far side: `test_acr.py` has it."""
        return None if scheme == "ManagedServiceIdentity" else super().connection(kind, scheme, address)
