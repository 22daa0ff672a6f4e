"""The family passes what every plugin should pass."""

from __future__ import annotations

import pytest

import sluice_docker
from sluice.testing.conformance import PluginConformance


class TestConformance(PluginConformance):
    plugin = sluice_docker

    @pytest.fixture(autouse=True)
    def no_entra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody issues tokens here: no test goes beyond this machine."""
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1")
        monkeypatch.setenv("IDENTITY_ENDPOINT", "http://127.0.0.1:1/identity")
        monkeypatch.setenv("IDENTITY_HEADER", "header")
