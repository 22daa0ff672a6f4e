"""What the audit log says should be stored: permits and versions of connections, replayed from its entries."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from sluice.storage import actions
from sluice.storage.chain import Breach, Entry, Link

Permit = tuple[int, str, str, int]
"""Project, resource type, resource id, pipeline (0 for all)."""

_GRANTS = {actions.AUTHORIZED_FOR_PIPELINE.id, actions.AUTHORIZED_FOR_PROJECT.id}
_REVOCATIONS = {actions.UNAUTHORIZED_FOR_PIPELINE.id, actions.UNAUTHORIZED_FOR_PROJECT.id}


class Replay:
    """Follows the log from its beginning; `watch` passes the entries on."""

    def __init__(self) -> None:
        self._permits: set[Permit] = set()
        self._versions: dict[str, int] = {}

    def watch(self, links: Iterable[Link]) -> Iterator[Link]:
        """The entries, unchanged, noting what each of them does."""
        for link in links:
            self._note(link.entry)
            yield link

    def compare(self, permits: Iterable[Permit], versions: Iterable[tuple[str, int]]) -> list[Breach]:
        """What is stored and was never recorded, and what was recorded and is not stored."""
        stored, found = set(permits), dict(versions)
        breaches = [
            Breach(0, f"nobody granted the permit of {_named(permit)}") for permit in sorted(stored - self._permits)
        ]
        breaches.extend(
            Breach(0, f"the permit of {_named(permit)} is gone, and nobody revoked it")
            for permit in sorted(self._permits - stored)
        )
        for connection_id in sorted({*found, *self._versions}):
            stored_version, recorded = found.get(connection_id, 0), self._versions.get(connection_id, 0)
            if stored_version != recorded:
                breaches.append(Breach(0, _contradiction(connection_id, stored_version, recorded)))
        return breaches

    def _note(self, entry: Entry) -> None:
        if entry.action in _GRANTS or entry.action in _REVOCATIONS:
            try:
                details = json.loads(entry.details)
                permit = (entry.project_id, details["ResourceType"], entry.resource_id, details.get("PipelineId", 0))
            except (ValueError, KeyError, TypeError, AttributeError):
                return  # an entry that was changed; the chain says so
            (self._permits.add if entry.action in _GRANTS else self._permits.discard)(permit)
        elif entry.action == actions.CONNECTION_DELETED.id:
            self._versions.pop(entry.resource_id, None)
        elif entry.resource_id and entry.resource_version:
            self._versions[entry.resource_id] = max(entry.resource_version, self._versions.get(entry.resource_id, 0))


def _named(permit: Permit) -> str:
    project_id, resource_type, resource_id, pipeline_id = permit
    who = f"pipeline {pipeline_id}" if pipeline_id else "all pipelines"
    return f"{who} of project {project_id} to use {resource_type} {resource_id}"


def _contradiction(connection_id: str, stored: int, recorded: int) -> str:
    if not stored:
        return f"connection {connection_id} is gone, and nobody deleted it"
    if not recorded:
        return f"connection {connection_id} is there, and nobody created it"
    return f"connection {connection_id} is at version {stored}, the log says {recorded}"
