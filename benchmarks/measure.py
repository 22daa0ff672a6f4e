"""Paired measurements: A B A B, the median of each, and the median and spread of the ratios of the pairs."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

PAIRS = 9

Measure = Callable[[], float]
"""Does the work once and answers how long it took, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A goal of the project: at most `must` milliseconds, aiming at `moonshot`."""

    name: str
    what: str
    must: float
    moonshot: float


def verdict_of(*, met: bool, best: bool) -> str:
    """How a goal came out."""
    return "moonshot" if best else "must" if met else "MISSED"


def compare(goal: Goal, ours: Measure, floor: Measure, floor_name: str, pairs: int = PAIRS) -> bool:
    """Measure, print a line, and answer whether the goal is met."""
    ours(), floor()  # warm caches
    rounds = [(ours(), floor()) for _ in range(pairs)]
    mine = statistics.median(one for one, _ in rounds) * 1000
    theirs = statistics.median(other for _, other in rounds) * 1000
    ratios = sorted(one / other for one, other in rounds)
    ratio = statistics.median(ratios)
    met = mine <= goal.must
    verdict = verdict_of(met=met, best=mine <= goal.moonshot)
    print(
        f"{goal.name:4} {goal.what:42} {mine:8.1f} ms  (must {goal.must:g}, moonshot {goal.moonshot:g}): {verdict:8}"
        f"  {floor_name} {theirs:.1f} ms, ratio {ratio:.1f} ({ratios[0]:.1f} to {ratios[-1]:.1f})"
    )
    return met


def compare_ratio(goal: Goal, ours: Measure, floor: Measure, floor_name: str, pairs: int = PAIRS) -> bool:
    """As `compare`, for a goal that is a ratio: so many times the floor at most."""
    ours(), floor()  # warm caches
    rounds = [(ours(), floor()) for _ in range(pairs)]
    mine = statistics.median(one for one, _ in rounds) * 1000
    theirs = statistics.median(other for _, other in rounds) * 1000
    ratios = sorted(one / other for one, other in rounds)
    ratio = statistics.median(ratios)
    met = ratio <= goal.must
    verdict = verdict_of(met=met, best=ratio <= goal.moonshot)
    print(
        f"{goal.name:4} {goal.what:42} {ratio:8.2f} x   (must {goal.must:g}, moonshot {goal.moonshot:g}): {verdict:8}"
        f"  {mine:.1f} ms, {floor_name} {theirs:.1f} ms ({ratios[0]:.2f} to {ratios[-1]:.2f})"
    )
    return met
