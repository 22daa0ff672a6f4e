"""Abuse cases act on the real thing: runs from end to end in a state folder of their own."""

from __future__ import annotations

from tests.agent.cli.conftest import Sluice, sluice
from tests.agent.runs.conftest import bench

__all__ = ["Sluice", "bench", "sluice"]
