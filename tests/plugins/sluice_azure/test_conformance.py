"""The family passes what every plugin should pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

import sluice_azure
from sluice.testing.conformance import PluginConformance, Values
from sluice.testing.far_side import Manner

PROFILE = (
    '<publishData><publishProfile publishMethod="MSDeploy" publishUrl="127.0.0.1:1" userName="$site" '
    'userPWD="canary-0123456789" destinationAppUrl="http://127.0.0.1:1"/></publishData>'
)
BUS = "Endpoint=sb://127.0.0.1:1/;SharedAccessKeyName=send;SharedAccessKey=canary-0123456789abcdef="


class TestConformance(PluginConformance):
    plugin = sluice_azure
    manners: ClassVar[Sequence[Manner]] = ("not there",)  # whom they ask is Entra and Azure
    samples: ClassVar[Mapping[str, Values]] = {
        "azurerm/PublishProfile": {"publishProfile": PROFILE},
        "AzureServiceBus": {"serviceBusConnectionString": BUS},
    }

    @pytest.fixture(autouse=True)
    def no_entra(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Nobody issues tokens here: no test goes beyond this machine."""
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1")
