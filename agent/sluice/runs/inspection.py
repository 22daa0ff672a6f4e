"""Opens every seal that is stored, without looking at what is in it: one that was changed in any way does not open."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.connections.sealing import Identity, Sealed, Sealer, blob_identity
from sluice.errors import SealError
from sluice.runs import secrets
from sluice.runs.orchestrator import sealed_identity
from sluice.storage import seals
from sluice.storage.sealed_records import JOB_PROGRESS, SealedRecord, every
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.hooks.ports import KeyProvider
    from sluice.storage.engine import Transaction

MAX_TOLD = 100
"""Seals that are named at most; of more only the number counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What came of it: how many seals opened, which did not (a sentence each), how many more of those.

    `unknown` seals were not tried, since the master key is not here: `why` tells.
    """

    opened: int = 0
    broken: tuple[str, ...] = ()
    more: int = 0
    unknown: int = 0
    why: str = ""


def inspect_seals(transaction: Transaction, provider: KeyProvider) -> Inspection:
    """Try every seal of the database with the master keys that are here; makes no key and changes nothing."""
    keys, why = _known_keys(provider, seals.key_ids(transaction))
    sealer = Sealer(lambda: _Keys(keys)) if keys else None
    opened = unknown = more = 0
    broken: list[str] = []
    for record in every(transaction):
        if sealer is None:
            unknown += 1
            continue
        try:
            sealer.open(_identity(record), Sealed(record.row.key_id, record.row.wrapped_key, record.row.sealed))
        except SealError as error:
            if len(broken) < MAX_TOLD:
                broken.append(f"the seal of {record.key} cannot be opened: {error.why}")
            else:
                more += 1
        else:
            opened += 1
    return Inspection(opened=opened, broken=tuple(broken), more=more, unknown=unknown, why=why if unknown else "")


def _identity(record: SealedRecord) -> Identity:
    if record.key.kind != JOB_PROGRESS:
        return Identity(record.key.kind, str(record.key.key[0]), record.row.version, record.row.public)
    run_id, job_id, step = record.key.key
    name = sealed_identity(int(run_id), str(job_id)) if job_id else secrets.sealed_identity(int(run_id))
    return blob_identity(name, int(step))


def _known_keys(provider: KeyProvider, ids: frozenset[str]) -> tuple[Mapping[str, bytes], str]:
    """The keys that something is sealed with; none when the provider has none of its own, and why."""
    keys: dict[str, bytes] = {}
    try:
        own: frozenset[str] = getattr(provider, "ids", frozenset)()
    except SealError as error:
        return {}, str(error)
    why = ""
    for key_id in sorted(ids | own):
        try:
            keys[key_id] = provider.key(key_id)
        except SealError as error:
            why = why or str(error)
    return keys, why


class _Keys:
    """The keys that were asked for once. The first stands for the current one: nothing is sealed with it."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        self._known = keys

    def current(self) -> tuple[str, bytes]:
        return next(iter(self._known.items()))

    def key(self, key_id: str) -> bytes:
        if key := self._known.get(key_id):
            return key
        raise SealError("the master key is not here", why=f"it is sealed with key {key_id}, which is not here")

    def rotate(self) -> tuple[str, bytes]:
        raise SealError("a check makes no key")

    def forget(self, key_id: str) -> None:
        """Nothing to do: these keys are only looked at."""
