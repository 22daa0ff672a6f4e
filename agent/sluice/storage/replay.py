"""What the audit log says should be stored: permits, versions and digests, replayed from its entries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from sluice.storage import actions
from sluice.storage.chain import Breach, Entry, Link

Version = tuple[str, str, int, str]
"""What a record is (`CONNECTION`, `VARIABLE_GROUP`, `SETTINGS`, `SECURE_FILE` or `SIGNING_KEY`), its id, its version, its digest."""

DIGEST = "Digest"
"""Under which an entry's details keep the digest of a record as it is after a change."""

CONNECTION = "connection"
VARIABLE_GROUP = "variable group"
SETTINGS = "pipeline settings"
SECURE_FILE = "secure file"
SIGNING_KEY = "signing key"

Permit = tuple[int, str, str, int]
"""Project, resource type, resource id, pipeline (0 for all)."""

_GRANTS = {actions.AUTHORIZED_FOR_PIPELINE.id, actions.AUTHORIZED_FOR_PROJECT.id}
_DELETIONS = {
    actions.CONNECTION_DELETED.id,
    actions.VARIABLE_GROUP_DELETED.id,
    actions.SECURE_FILE_DELETED.id,
    actions.SIGNING_KEY_RETIRED.id,
    actions.PIPELINE_DELETED.id,
}
_KINDS = {
    actions.VARIABLE_GROUP_DELETED.id: VARIABLE_GROUP,
    actions.VARIABLE_GROUP_OPENED.id: VARIABLE_GROUP,
    actions.SECURE_FILE_DELETED.id: SECURE_FILE,
    actions.SECURE_FILE_OPENED.id: SECURE_FILE,
    actions.PIPELINE_SECRETS_OPENED.id: SETTINGS,
    actions.SIGNING_KEY_RETIRED.id: SIGNING_KEY,
    actions.PIPELINE_DELETED.id: SETTINGS,  # with the pipeline
}
"""What other actions are about; those that are not listed are about connections."""

CHANGES = {
    actions.CONNECTION_CREATED.id: CONNECTION,
    actions.CONNECTION_MODIFIED.id: CONNECTION,
    actions.CONNECTION_FOR_PROJECT_MODIFIED.id: CONNECTION,
    actions.CONNECTION_PROPERTY_CHANGED.id: CONNECTION,
    actions.CONNECTION_SHARED.id: CONNECTION,
    actions.CONNECTION_DELETED.id: CONNECTION,  # out of one project, while it is in others
    actions.CONNECTION_RESTORED.id: CONNECTION,
    actions.VARIABLE_GROUP_CREATED.id: VARIABLE_GROUP,
    actions.VARIABLE_GROUP_MODIFIED.id: VARIABLE_GROUP,
    actions.PIPELINE_VARIABLES_CHANGED.id: SETTINGS,
    actions.SECURE_FILE_CREATED.id: SECURE_FILE,
    actions.SIGNING_KEY_CREATED.id: SIGNING_KEY,
}
"""The actions after which a record is another one, and what it is. Of one that is gone there is no digest."""

_REVOCATIONS = {
    actions.UNAUTHORIZED_FOR_PIPELINE.id,
    actions.UNAUTHORIZED_FOR_PROJECT.id,
    actions.PERMIT_VOID.id,
}


class Replay:
    """Follows the log from its beginning; `watch` passes the entries on."""

    def __init__(self) -> None:
        self._permits: set[Permit] = set()
        self._versions: dict[tuple[str, str], tuple[int, str]] = {}

    def watch(self, links: Iterable[Link]) -> Iterator[Link]:
        """The entries, unchanged, noting what each of them does."""
        for link in links:
            self._note(link.entry)
            yield link

    def compare(self, permits: Iterable[Permit], versions: Iterable[Version]) -> list[Breach]:
        """What is stored and was never recorded, and what was recorded and is not stored."""
        stored, found = set(permits), {one[:2]: one[2:] for one in versions}
        breaches = [
            Breach(0, f"nobody granted the permit of {_named(permit)}") for permit in sorted(stored - self._permits)
        ]
        breaches.extend(
            Breach(0, f"the permit of {_named(permit)} is gone, and nobody revoked it")
            for permit in sorted(self._permits - stored)
        )
        for record in sorted({*found, *self._versions}):
            (version, digest), (recorded, known) = found.get(record, (0, "")), self._versions.get(record, (0, ""))
            if version != recorded:
                breaches.append(Breach(0, _contradiction(" ".join(record), version, recorded)))
            elif known and known != digest:
                breaches.append(Breach(0, f"{' '.join(record)} is not as it was stored: somebody edited it"))
        return breaches

    def _note(self, entry: Entry) -> None:
        if entry.action in _GRANTS or entry.action in _REVOCATIONS:
            try:
                details = json.loads(entry.details)
                permit = (entry.project_id, details["ResourceType"], entry.resource_id, details.get("PipelineId", 0))
            except (ValueError, KeyError, TypeError, AttributeError):
                return  # an entry that was changed; the chain says so
            (self._permits.add if entry.action in _GRANTS else self._permits.discard)(permit)
            return
        record = (_kind(entry.action), entry.resource_id)
        if entry.action in _DELETIONS and not _digest(entry):
            self._versions.pop(record, None)
        elif entry.resource_id and entry.resource_version:
            version, digest = self._versions.get(record, (0, ""))
            if entry.action in CHANGES:
                digest = _digest(entry)
            self._versions[record] = max(entry.resource_version, version), digest


def _digest(entry: Entry) -> str:
    """What the entry says; '' where it says nothing (those of older versions), or was changed (the chain tells)."""
    try:
        digest = json.loads(entry.details).get(DIGEST, "")
    except (ValueError, AttributeError):
        return ""
    return str(digest)


def _kind(action: str) -> str:
    return CHANGES.get(action) or _KINDS.get(action, CONNECTION)


def _named(permit: Permit) -> str:
    project_id, resource_type, resource_id, pipeline_id = permit
    who = f"pipeline {pipeline_id}" if pipeline_id else "all pipelines"
    return f"{who} of project {project_id} to use {resource_type} {resource_id}"


def _contradiction(record: str, stored: int, recorded: int) -> str:
    if not stored:
        return f"{record} is gone, and nobody deleted it"
    if not recorded:
        return f"{record} is there, and nobody created it"
    return f"{record} is at version {stored}, the log says {recorded}"
