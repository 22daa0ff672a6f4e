"""What is kept of what jobs leave behind, and for how long: caches expire, blobs that nothing refers to are removed."""

from __future__ import annotations

from pathlib import Path

from sluice.errors import StorageError
from sluice.runtime.artifacts.manifest import decode
from sluice.storage import artifacts, attachments, caches
from sluice.storage.blobs import Blobs
from sluice.storage.engine import Database
from sluice.values import dataclass

CACHE_DAYS = 7
"""Documented: so long a cache is kept that nobody uses."""

SWEEP_SECONDS = 24 * 3600.0
"""How often blobs are swept without being asked."""

_SWEPT = "swept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was removed: caches, blobs, and the bytes of these."""

    caches: int = 0
    blobs: int = 0
    size: int = 0


def sweep(database: Database, folder: Path, *, now: float) -> Swept:
    """Remove expired caches, and the blobs that nothing refers to any more; those of today are left.

    Raises `StorageError` when a list of files cannot be read: nobody knows then what it refers to.
    """
    blobs = Blobs(folder)
    with database.write() as transaction:
        expired = caches.expire(transaction, before=now - CACHE_DAYS * 24 * 3600)
        manifests = {
            *artifacts.manifests(transaction),
            *caches.manifests(transaction),
            *attachments.manifests(transaction),
        }
    referred = set(manifests)
    for manifest in manifests:
        referred |= {block.digest for block in decode(blobs.get(manifest)).blocks}
    count, size = blobs.sweep(referred, now=now)
    return Swept(caches=expired, blobs=count, size=size)


def sweep_now_and_then(database: Database, folder: Path, *, now: float) -> None:
    """Sweep when nobody has for a day. Trouble is left to those who ask for it: the run is over already."""
    mark = folder / _SWEPT
    try:
        if not folder.is_dir() or (mark.exists() and now - mark.stat().st_mtime < SWEEP_SECONDS):
            return
        mark.touch()
        sweep(database, folder, now=now)
    except (OSError, StorageError):
        return
