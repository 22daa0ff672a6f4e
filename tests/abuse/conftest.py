"""Abuse cases act on the real thing: runs from end to end in a state folder of their own, and jobs as they run."""

from __future__ import annotations

from tests.agent.cli.conftest import Sluice, hang_ups_are_heard, sluice
from tests.agent.runs.conftest import bench
from tests.agent.runtime.conftest import Jobs, jobs

__all__ = ["Jobs", "Sluice", "bench", "hang_ups_are_heard", "jobs", "sluice"]
