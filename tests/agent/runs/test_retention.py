"""Caches expire; blobs go when nothing refers to them."""

from __future__ import annotations

import json

from tests.agent.runs.conftest import Bench

from sluice.runs.retention import CACHE_DAYS, sweep
from sluice.storage import artifacts, caches

DAY = 24 * 3600
PIPELINE = f"""
steps:
- checkout: none
- {json.dumps({"task": "Cache@2", "inputs": {"key": "k", "path": "kept"}})}
- bash: mkdir kept; echo cached > kept/x; echo published > y
- publish: y
  artifact: drop
"""


def _blobs(bench: Bench) -> int:
    return sum(len(file.name) == 64 for file in bench.home.content.rglob("*"))


def test_what_is_referred_to_stays_and_a_cache_that_nobody_uses_goes(bench: Bench) -> None:
    run = bench.run_pipeline(PIPELINE).run
    assert _blobs(bench) == 4
    now = bench.clock()
    swept = sweep(bench.database, bench.home.content, now=now + (CACHE_DAYS - 1) * DAY)
    assert (swept.caches, swept.blobs) == (0, 0)
    swept = sweep(bench.database, bench.home.content, now=now + (CACHE_DAYS + 1) * DAY)
    assert (swept.caches, swept.blobs) == (1, 2)
    with bench.database.write() as transaction:
        assert caches.of_project(transaction, 1) == []
        assert artifacts.remove(transaction, run.id, "DROP")
        assert not artifacts.remove(transaction, run.id, "drop")
    assert sweep(bench.database, bench.home.content, now=now).blobs == 0  # young
    assert sweep(bench.database, bench.home.content, now=now + 2 * DAY).blobs == 2
    assert _blobs(bench) == 0


def test_a_run_that_ends_sweeps_when_nobody_has_for_a_day(bench: Bench) -> None:
    bench.run_pipeline(PIPELINE)
    assert (bench.home.content / "swept").exists()
    bench.clock.late = (CACHE_DAYS + 2) * DAY
    bench.run_pipeline("steps:\n- checkout: none\n- bash: 'true'\n")
    with bench.database.read() as transaction:
        assert caches.of_project(transaction, 1) == []
    assert _blobs(bench) == 2
