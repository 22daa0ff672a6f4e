"""Abuse cases act on the real thing: runs from end to end in a state folder of their own, and jobs as they run."""

from __future__ import annotations

from tests.agent.cli.conftest import Sluice, sluice
from tests.agent.conftest import signals_are_heard
from tests.agent.runs.conftest import bench
from tests.agent.runtime.conftest import Jobs, jobs

__all__ = ["Jobs", "Sluice", "bench", "jobs", "signals_are_heard", "sluice"]
