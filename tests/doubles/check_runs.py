"""Evaluations of checks as the tests of their kinds want them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from sluice.hooks.checks import CheckedResource, CheckFacts, CheckRun, CheckType, Proposed
from sluice.hooks.connection import Value

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
"""A Monday."""
DEPOT = CheckedResource(kind="endpoint", name="depot", id="d1")


def evaluation(kind: CheckType, settings: Mapping[str, Value], **given: Any) -> CheckRun:
    """An evaluation with settings and defaults; further arguments are those of `CheckRun` and of its facts."""
    names = CheckRun.__dataclass_fields__
    facts = {key: given.pop(key) for key in tuple(given) if key not in names}
    return CheckRun(
        facts=CheckFacts(**{"project": "default", "pipeline": "release", "run_id": 7, "stage": "Deploy", **facts}),
        settings=_with_defaults(kind, settings),
        **{"now": NOW, "resource": DEPOT, "timeout": kind.timeout, "retry_interval": kind.retry_interval, **given},
    )


def judged(kind: CheckType, settings: Mapping[str, Value], **given: Any) -> tuple[str, ...]:
    """What is wrong with settings of a kind; further arguments are those of `Proposed`."""
    every = {"timeout": kind.timeout, "retry_interval": kind.retry_interval, **given}
    return kind.problems(Proposed(settings=_with_defaults(kind, settings), **every))


def _with_defaults(kind: CheckType, settings: Mapping[str, Value]) -> dict[str, Value]:
    return {**{one.key: one.default for one in kind.fields if one.default}, **settings}
