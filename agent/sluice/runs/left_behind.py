"""What a run has left behind, for those who look at it: artifacts, attachments, tags, nested records, results of tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from sluice.errors import ConflictError, NotFoundError
from sluice.runtime.artifacts.manifest import Manifest, checked, decode
from sluice.runtime.artifacts.publishing import check_name
from sluice.runtime.artifacts.unpacking import unpack
from sluice.storage import artifacts, attachments, record_details, run_tags, test_results
from sluice.storage.artifacts import ArtifactRow
from sluice.storage.attachments import AttachmentRow
from sluice.storage.blobs import Blobs
from sluice.storage.engine import Transaction
from sluice.storage.record_details import DetailRow
from sluice.storage.test_results import TestRunRow
from sluice.values import dataclass

SUMMARY = "DistributedTask.Core.Summary"
MAX_SUMMARY = 1 << 20
"""Bytes of a summary that are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """All of it, but for contents."""

    tags: tuple[str, ...] = ()
    artifacts: tuple[ArtifactRow, ...] = ()
    attachments: tuple[AttachmentRow, ...] = ()
    details: tuple[DetailRow, ...] = ()
    tests: tuple[TestRunRow, ...] = ()


def left_behind(transaction: Transaction, run_id: int) -> LeftBehind:
    """What a run has left behind so far."""
    return LeftBehind(
        tags=tuple(run_tags.of_run(transaction, run_id)),
        artifacts=tuple(artifacts.of_run(transaction, run_id)),
        attachments=tuple(attachments.of_run(transaction, run_id)),
        details=tuple(record_details.of_run(transaction, run_id)),
        tests=tuple(test_results.of_run(transaction, run_id)),
    )


def find_artifact(found: Sequence[ArtifactRow], name: str) -> ArtifactRow:
    """The artifact of a name that a person writes; raises `NotFoundError`."""
    for row in found:
        if row.name.casefold() == name.casefold():
            return row
    known = ", ".join(f"'{row.name}'" for row in found)
    raise NotFoundError(f"there is no artifact '{name}'", do=f"it has {known}" if known else "it has none at all")


def download(blobs: Blobs, row: ArtifactRow, folder: Path) -> tuple[Path, Manifest]:
    """Write an artifact's files into a folder of its name; answers which, and what lies there now.

    Raises `SluiceError` when Sluice does not keep its files, or a blob is broken.
    """
    if not row.manifest:
        raise ConflictError(f"the artifact '{row.name}' is not kept by Sluice", do=f"its files lie in {row.location}")
    target = folder / check_name(row.name)
    manifest = decode(blobs.get(row.manifest))
    unpack(manifest.entries, manifest.blocks, blobs, target)
    return target, manifest


def unpack_attachment(blobs: Blobs, row: AttachmentRow, folder: Path) -> Path:
    """Write an attachment into a folder, under its own name, and answer where it is."""
    manifest = decode(blobs.get(row.manifest))
    entries = [replace(entry, path=row.name) for entry in manifest.entries[:1]]
    unpack(checked(entries), manifest.blocks, blobs, folder)
    return folder / row.name


def content(blobs: Blobs, row: AttachmentRow, limit: int) -> bytes:
    """The content of an attachment, up to a number of bytes."""
    found = b""
    for block in decode(blobs.get(row.manifest)).blocks:
        found += blobs.get(block.digest)[: limit - len(found)]
        if len(found) >= limit:
            break
    return found
