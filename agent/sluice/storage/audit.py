"""The audit log: appends an event in the transaction of the change that it tells, and checks the whole chain."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy import bindparam, select

from sluice.errors import SealError
from sluice.storage import actions, digests, origin
from sluice.storage.action import Action
from sluice.storage.action_registry import ACTIONS, BY_PEOPLE
from sluice.storage.ancestors import RefusedToStepError, driver_above
from sluice.storage.chain import Breach, Entry, Head, Link, Linking, find_breach, link_hash
from sluice.storage.engine import Row, Transaction
from sluice.storage.home import Home
from sluice.storage.prepared import Prepared
from sluice.storage.refusals import RefusedError
from sluice.storage.replay import CHANGES, DIGEST, Replay
from sluice.storage.tables import audit, permissions
from sluice.values import dataclass

ORIGIN = "From"
"""Under which an entry's details keep where it comes from (those of older versions don't)."""

_BATCH = 1000

_NEWEST = Prepared(select(audit.c.sequence, audit.c.hash).order_by(audit.c.sequence.desc()).limit(1))
_HASH_OF = select(audit.c.hash).where(audit.c.sequence == bindparam("sequence"))
_AFTER = select(audit).where(audit.c.sequence > bindparam("after")).order_by(audit.c.sequence).limit(_BATCH)


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something to record. `details` fill the action's sentence and hold no secret; `at` is seconds since the epoch.

    `resource_id` and `resource_version` name the connection or variable group concerned, as it is after the event.
    """

    action: Action
    actor: str
    at: float
    project_id: int = 0
    resource_id: str = ""
    resource_version: int = 0
    details: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""
    """That of the changed record, where whoever stored it knows it; otherwise it is read again."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the whole log found: the breaches, and how far the chain is whole."""

    breaches: tuple[Breach, ...]
    head: Head


def append(transaction: Transaction, event: Event) -> int:
    """Record an event in a write transaction and answer its sequence number. What it tells of is stored before it."""
    return append_all(transaction, [event])


def append_all(transaction: Transaction, events: list[Event]) -> int:
    """Record events in order; answers the last one's sequence number, 0 when there are none."""
    if not events:
        return 0
    if not transaction.synced:
        raise RuntimeError("what is audited is never stored in a transaction that the machine may take back")
    _refuse_steps(transaction, events)
    head = check_head(transaction)
    key = transaction.voucher.audit_key.key
    stored = _digests(transaction, events)
    coming_from = origin.current().as_details()
    rows = []
    for event in events:
        details = {**event.details, ORIGIN: coming_from}
        if digest := event.digest or stored.get((event.action.id, event.resource_id)):
            details[DIGEST] = digest
        entry = _entry(event, head.sequence + 1, _CANONICAL.encode(details))
        link = link_hash(entry, head.hash, key)
        rows.append({**_columns(entry), "previous": head.hash, "hash": link})
        head = Head(entry.sequence, link)
    transaction.insert_many(audit, rows)
    transaction.head = head
    if home := transaction.home:
        transaction.after_commit("audit head", lambda: _note_head(home, head))
    return head.sequence


def _refuse_steps(transaction: Transaction, events: list[Event]) -> None:
    """Refuse what only people decide in a process that a step of a run started."""
    decided = next((event.action.id for event in events if event.action.id in BY_PEOPLE), None)
    if decided and transaction.home and (driver := driver_above(transaction.home)):
        raise RefusedToStepError(driver, decided)


def record_refusal(transaction: Transaction, refused: RefusedToStepError | RefusedError) -> None:
    """Record that a step tried to decide, or a person what the person may not."""
    if isinstance(refused, RefusedError):
        append(transaction, refused.event)
        return
    details = {"Command": refused.attempt, "Driver": refused.driver}
    append(transaction, Event(action=actions.COMMAND_REFUSED, actor="step", at=time.time(), details=details))


def check_head(transaction: Transaction) -> Head:
    """The end of the log; raises `SealError` when the end that was noted beside the keys is not in it.

    Asked for before anything is recorded and before a secret leaves, or a log that was put back from an older state
    would be covered up by its next entry. In a transaction that only reads, the log may well be older than the note.
    """
    if transaction.head is not None:
        return transaction.head
    head = _checked_head(transaction)
    if transaction.writes:
        transaction.head = head
    return head


def _end(transaction: Transaction) -> Head:
    """The end of the log as it is stored."""
    rows = transaction.fetch(_NEWEST)
    return Head(*rows[0]) if rows else Head()


def _checked_head(transaction: Transaction) -> Head:
    head = _end(transaction)
    noted = noted_head(transaction.home) if transaction.home else None
    if noted is None or noted == head:
        return head
    there = transaction.value(_HASH_OF, {"sequence": noted.sequence})
    if there == noted.hash:
        _check_after(transaction, noted)
        return head
    if there is None and not transaction.writes:
        return head
    raise SealError(
        "the database is not the one that Sluice stored last",
        why=f"entry {noted.sequence} of the audit log, noted beside the keys, is {'another' if there else 'not in it'}",
        do="put the newest database back; when you put an older one back yourself, 'sluice audit accept-head' accepts it",
    )


def _check_after(transaction: Transaction, noted: Head) -> None:
    """Refuse entries behind the noted end that Sluice did not write: nothing may be linked to them.

    There are some where a process was killed, or is held up, between its commit and its note.
    """
    linking, previous = _linking(transaction), noted.hash
    for link in entries(transaction, after=noted.sequence):
        if link.previous != previous or not linking.fits(link):
            raise SealError(
                "the audit log was written to by somebody else",
                why=f"Sluice did not write entry {link.entry.sequence}",
                do="put an untouched database back from a backup; see 'sluice audit verify'",
            )
        previous = link.hash


def _linking(transaction: Transaction) -> Linking:
    known = transaction.voucher.audit_key
    return Linking(key=known.key, taken_over=known.taken_over, unchecked=known.unchecked)


def noted_head(home: Home) -> Head | None:
    """The end of the log as it was noted beside the keys; None when it was not, or cannot be read."""
    try:
        return Head.parse(home.audit_head.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None


def accept_head(transaction: Transaction, *, by: str, at: float) -> tuple[Head | None, Head]:
    """Take the log as it is for the newest one, whatever was noted, and record that; for a person who put it back.

    A key of the log that is missing is made anew: what is stored is vouched for as it is, too. Answers what was noted,
    and the end of the log that is accepted.
    """
    head = _end(transaction)
    noted = None
    if home := transaction.home:
        noted = noted_head(home)
        _note_head(home, head, back=True)
    if transaction.voucher.missing:
        from sluice.storage.adoption import adopt

        adopt(transaction, head, unchecked=True)
    details = {"Head": str(head), "Noted": str(noted or "nothing")}
    append(transaction, Event(action=actions.HEAD_ACCEPTED, actor=by, at=at, details=details))
    return noted, head


def _note_head(home: Home, head: Head, *, back: bool = False) -> None:
    """Note the end of the log. It never goes back (but with `back`): of two that note at once the newer one stays."""
    temporary = home.audit_head.with_name(f".audit-head.{os.getpid()}.{threading.get_ident()}")
    with contextlib.suppress(OSError), _locked(home.audit_head.with_name(".audit-head.lock")):
        before = noted_head(home)
        if back or before is None or before.sequence < head.sequence:
            temporary.write_text(f"{head}\n", encoding="ascii")
            temporary.replace(home.audit_head)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
    try:
        if os.name == "posix":
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def entries(transaction: Transaction, *, after: int = 0, limit: int | None = None) -> Iterator[Link]:
    """The log in order, from the entry behind `after`; read in batches, so that its length does not matter."""
    given = 0
    while batch := transaction.rows(_AFTER, {"after": after}):
        for row in batch:
            if limit is not None and given >= limit:
                return
            given += 1
            after = row.sequence
            yield _link(row)


def newest(transaction: Transaction, limit: int, *, resource_id: str = "") -> tuple[Link, ...]:
    """The newest entries, oldest first; of one resource when `resource_id` is given."""
    return search(transaction, Wanted(resource_id=resource_id), limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which entries are looked for: all that is given has to fit. `before` is a sequence number, times are seconds."""

    actions: frozenset[str] = frozenset()
    category: str = ""
    actor: str = ""
    project_id: int = 0
    resource_id: str = ""
    run_id: int = 0
    since: float | None = None
    until: float | None = None
    before: int = 0


def search(transaction: Transaction, wanted: Wanted, *, limit: int) -> tuple[Link, ...]:
    """The newest entries that fit, oldest first."""
    query = select(audit).order_by(audit.c.sequence.desc()).limit(limit)
    for condition in _conditions(wanted):
        query = query.where(condition)
    return tuple(_link(row) for row in reversed(transaction.rows(query)))


def _conditions(wanted: Wanted) -> Iterator[sqlalchemy.ColumnElement[bool]]:
    if wanted.actions:
        yield audit.c.action.in_(wanted.actions)
    if wanted.category:
        yield audit.c.category == wanted.category
    if wanted.actor:
        yield audit.c.actor == wanted.actor
    if wanted.project_id:
        yield audit.c.project_id == wanted.project_id
    if wanted.resource_id:
        yield audit.c.resource_id == wanted.resource_id
    if wanted.run_id:  # details are canonical JSON: a number ends with a comma or with the object
        named = f'"RunId":{wanted.run_id}'
        yield audit.c.details.contains(f"{named},") | audit.c.details.contains(f"{named}}}")
    if wanted.since is not None:
        yield audit.c.at >= wanted.since
    if wanted.until is not None:
        yield audit.c.at < wanted.until
    if wanted.before:
        yield audit.c.sequence < wanted.before


def changes_since(transaction: Transaction, resource_id: str, version: int) -> tuple[Mapping[str, Any], ...]:
    """The details of what the log tells of a resource since it had that version."""
    query = select(audit.c.details).where(audit.c.resource_id == resource_id, audit.c.resource_version > version)
    found = (json.loads(row[0]) for row in transaction.rows(query.order_by(audit.c.sequence)))
    return tuple(details for details in found if isinstance(details, dict))


def verify(transaction: Transaction, *kept: Head) -> Verdict:
    """Check every entry, its order, and that none is missing; then that what is stored is what was recorded.

    `kept` are ends of the log that were noted elsewhere earlier.
    """
    replay = Replay()
    breach, head = find_breach(replay.watch(entries(transaction)), *kept, linking=_linking(transaction))
    if breach:
        return Verdict((breach,), head)
    columns = (
        permissions.c.project_id,
        permissions.c.resource_type,
        permissions.c.resource_id,
        permissions.c.pipeline_id,
    )
    permits = ((row[0], row[1], row[2], row[3]) for row in transaction.rows(select(*columns)))
    return Verdict(tuple(replay.compare(permits, digests.every(transaction))), head)


def describe(entry: Entry) -> str:
    """The sentence of an entry."""
    action = ACTIONS.get(entry.action)
    try:
        details = json.loads(entry.details)
    except ValueError:
        return entry.details
    return action.describe(details) if action and isinstance(details, dict) else entry.details


def _digests(transaction: Transaction, events: list[Event]) -> dict[tuple[str, str], str]:
    """The digests of the records that events change, by action and record."""
    changed: dict[str, list[str]] = {}
    for event in events:
        if event.action.id in CHANGES and event.resource_id and not event.digest:
            changed.setdefault(event.action.id, []).append(event.resource_id)
    return {
        (action, record_id): digest
        for action, ids in changed.items()
        for record_id, digest in digests.of(transaction, CHANGES[action], ids).items()
    }


def _entry(event: Event, sequence: int, details: str) -> Entry:
    return Entry(
        sequence=sequence,
        at=float(event.at),
        actor=event.actor,
        action=event.action.id,
        category=event.action.category,
        project_id=event.project_id,
        resource_id=event.resource_id,
        resource_version=event.resource_version,
        details=details,
    )


def _columns(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


def _link(row: Row) -> Link:
    values = row._mapping  # noqa: SLF001  # SQLAlchemy's public name for a row as a mapping
    return Link(Entry(**{name: values[name] for name in Entry.__slots__}), row.previous, row.hash)
