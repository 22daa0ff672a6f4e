"""The family passes what every plugin should pass."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import pytest

import sluice_power_platform
from sluice.testing.conformance import PluginConformance
from sluice.testing.far_side import Manner


class TestConformance(PluginConformance):
    plugin = sluice_power_platform
    manners: ClassVar[Sequence[Manner]] = ("not there",)  # whom they ask is Entra

    @pytest.fixture(autouse=True)
    def no_entra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody issues tokens here: no test goes beyond this machine."""
        monkeypatch.setenv("AZURE_AUTHORITY_HOST", "https://127.0.0.1:1")
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
