"""The family passes what every plugin should pass."""

from __future__ import annotations

import sluice_generic
from sluice.plugin import Connection, ConnectionType
from sluice.testing.conformance import PluginConformance


class TestConformance(PluginConformance):
    plugin = sluice_generic

    def connection(self, kind: ConnectionType, scheme: str, address: str) -> Connection | None:
        """An incoming webhook has no far side: messages come from it."""
        return None if kind is sluice_generic.INCOMING_WEBHOOK else super().connection(kind, scheme, address)
