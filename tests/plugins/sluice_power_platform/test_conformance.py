"""The family passes what every plugin should pass."""

from __future__ import annotations

import sluice_power_platform
from sluice.testing.conformance import PluginConformance


class TestConformance(PluginConformance):
    plugin = sluice_power_platform
