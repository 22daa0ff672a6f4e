"""The family passes what every plugin should pass."""

from __future__ import annotations

from typing import ClassVar

import sluice_service_fabric
from sluice.testing.conformance import PluginConformance


class TestConformance(PluginConformance):
    plugin = sluice_service_fabric
    samples: ClassVar = {"servicefabric/Certificate": {"certificate": "Y2FuYXJ5LWNlcnRpZmljYXRlLTQ3MTE="}}
