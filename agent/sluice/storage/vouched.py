"""Every row that a code vouches for, checked: for `sluice audit verify`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from sluice.storage import connections, permissions, pipelines, policies, runs

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction


def broken(transaction: Transaction) -> Iterator[str]:
    """What of pipelines, runs, permits, policies and names of connections is not as Sluice stored it, a sentence each."""
    return chain(*(one.broken(transaction) for one in (pipelines, permissions, policies, connections, runs)))
