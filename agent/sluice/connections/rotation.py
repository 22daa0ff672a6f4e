"""Rotation of the master key: re-wraps every data key in one transaction, then forgets the old master keys."""

from __future__ import annotations

from collections.abc import Callable

from sluice.connections import vault
from sluice.connections.sealing import Sealed, Sealer
from sluice.errors import ConflictError
from sluice.storage import actions, audit, seals
from sluice.storage.engine import Database, Transaction
from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation has done: the new master key's id, how many records it seals anew, which keys are forgotten."""

    key_id: str
    count: int
    forgotten: tuple[str, ...]


def rotate(database: Database, sealer: Sealer, *, by: str, clock: Callable[[], float]) -> Rotation:
    """Make a new master key and seal everything under it.

    Whatever moment it is stopped at, every record opens: the new key is stored before anything is sealed with it, all
    records change in one transaction, and an old key is forgotten only while no writer can be about to use it.
    """
    provider = sealer.provider
    with database.write() as transaction:
        vault.check_key(transaction, sealer)
        # within the transaction: of two rotations at once, neither may overwrite the key that the other makes
        master = provider.rotate()
        old = seals.key_ids(transaction) - {master[0]}
        count = _rewrap(transaction, sealer, master)
        event = audit.Event(
            action=actions.KEY_ROTATED, actor=by, at=clock(), details={"KeyId": master[0], "Count": count}
        )
        audit.append(transaction, event)
    with database.write() as transaction:
        # only once the first transaction is stored, and with the key that is the current one by now: another rotation
        # may have made a newer one meanwhile and be about to forget ours
        newest = provider.current()
        _rewrap(transaction, sealer, newest)
        known: frozenset[str] = getattr(provider, "ids", frozenset)()
        forgotten = tuple(sorted((old | known) - {newest[0]}))
        for key_id in forgotten:
            provider.forget(key_id)
    return Rotation(newest[0], count, forgotten)


def replace_lost(database: Database, sealer: Sealer, *, by: str, clock: Callable[[], float]) -> Rotation:
    """Make a master key in place of one that is lost; raises `ConflictError` when there is one.

    Secrets that are sealed with the lost one have to be entered again.
    """
    provider = sealer.provider
    with database.write() as transaction:
        if getattr(provider, "ids", lambda: True)():
            raise ConflictError("the master key is not lost: it is here", do="rotate it without --lost")
        key_id, _ = provider.current()
        event = audit.Event(action=actions.KEY_ROTATED, actor=by, at=clock(), details={"KeyId": key_id, "Count": 0})
        audit.append(transaction, event)
    return Rotation(key_id, 0, ())


def _rewrap(transaction: Transaction, sealer: Sealer, master: tuple[str, bytes]) -> int:
    wrapped = []
    for stored in seals.not_under(transaction, master[0]):
        sealed = Sealed(stored.key_id, stored.wrapped_key, stored.sealed)
        again = sealer.rewrap(sealed, master, str(stored.row))
        wrapped.append((stored.row, again.key_id, again.wrapped_key))
    seals.rewrap(transaction, wrapped)
    return len(wrapped)
