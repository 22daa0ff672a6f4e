"""Every row that a code vouches for, checked: for `sluice audit verify`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from sluice.storage import (
    check_configurations,
    check_suites,
    connections,
    groups,
    people,
    permissions,
    pipelines,
    policies,
    role_assignments,
    runs,
    tokens,
)

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction


def broken(transaction: Transaction) -> Iterator[str]:
    """What of pipelines, runs, permits, people, roles, checks and so on is not as Sluice stored it, a sentence each."""
    kinds = (pipelines, permissions, policies, connections, runs, people, groups, role_assignments, tokens)
    return chain(*(one.broken(transaction) for one in (*kinds, check_configurations, check_suites)))
