"""Takes over what was stored before there was a key to vouch for it; done once, when that key is made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from sluice.storage import (
    audit,
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
    tables,
    tables_people,
    tokens,
)
from sluice.storage.chain import Head, link_hash

if TYPE_CHECKING:
    from sluice.storage.engine import Database, Transaction


def prepare(database: Database) -> None:
    """Make the key of a database that has none; one whose key went missing is left as it is."""
    with database.write() as transaction:
        head = _newest_without_key(transaction)
        if head is not None and not _has_codes(transaction):
            adopt(transaction, head)


def adopt(transaction: Transaction, head: Head, *, unchecked: bool = False) -> None:
    """Make the key, and vouch with it for everything that is stored. `head` is the end of the log.

    With `unchecked` the links of the log up to there are those of a key that is lost: only their order can be checked.
    """
    if transaction.voucher.make(head, unchecked=unchecked):
        for kind in (permissions, policies, pipelines, runs, connections, people, groups, role_assignments, tokens):
            kind.vouch_for_all(transaction)
        for checks in (check_configurations, check_suites):
            checks.vouch_for_all(transaction)


def _newest_without_key(transaction: Transaction) -> Head | None:
    """The end of a log that was written without a key; None when it was written with one."""
    found = audit.newest(transaction, 1)
    if not found:
        return Head()
    link = found[0]
    return Head(link.entry.sequence, link.hash) if link.hash == link_hash(link.entry, link.previous) else None


def _has_codes(transaction: Transaction) -> bool:
    stored = (
        *(tables.permissions, tables.pipelines, tables.runs, tables.connection_projects),
        *(tables_people.users, tables_people.user_groups, tables_people.role_assignments, tables_people.access_tokens),
    )
    return any(
        transaction.value(select(table.c.code).where(table.c.code != "").limit(1)) is not None for table in stored
    )
