"""What a run may use: facts for authorization from the store, and connections opened for a step under its check."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sluice.authorization.resources import Assessment, Known, Need, assess, refuse
from sluice.connections import lookup
from sluice.connections.catalogue import Catalogue
from sluice.connections.connection import ConnectionRecord
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, NotPermittedError, PermissionPendingError
from sluice.hooks.connection import Connection
from sluice.runs.identifiers import shown
from sluice.runtime.request import ConnectionInput, JobRequest, StepRequest
from sluice.storage import actions, audit, permissions
from sluice.storage import connections as connection_rows
from sluice.storage.engine import Transaction
from sluice.storage.usage import Use

TRIES = 3
"""How often a connection is looked up that somebody edits at the same moment."""


def assess_needs(
    transaction: Transaction, catalogue: Catalogue, project_id: int, pipeline_id: int, needs: Sequence[Need]
) -> Assessment:
    """Which of the needs are permitted now, wait for a permit, or cannot be met."""
    if not needs:
        return Assessment()
    known = _known(transaction, catalogue, project_id, pipeline_id, (need.name for need in needs))
    names = connection_rows.names(transaction, project_id) if len(known) < len({need.name for need in needs}) else ()
    return assess(needs, known, names)


def _known(
    transaction: Transaction, catalogue: Catalogue, project_id: int, pipeline_id: int, names: Iterable[str]
) -> Mapping[str, Known]:
    """The connections that the names mean, and those that they link to, by the name that was used."""
    found: dict[str, Known] = {}
    queue = list(names)
    while queue:
        name = queue.pop()
        record = None if name in found else lookup.find(transaction, project_id, name)
        if record is not None:
            linked = tuple(lookup.links(record, catalogue).values())
            found[name] = _as_known(record, linked, permitted=_permitted(transaction, record, pipeline_id))
            queue.extend(linked)
    return found


def _as_known(record: ConnectionRecord, linked: tuple[str, ...], *, permitted: bool) -> Known:
    return Known(
        id=record.id,
        name=record.name,
        type=record.type,
        scheme=record.scheme,
        disabled=record.disabled,
        version=record.version,
        permitted=permitted,
        linked=linked,
    )


def _permitted(transaction: Transaction, record: ConnectionRecord, pipeline_id: int) -> bool:
    resource = permissions.Resource(record.project_id, record.id)
    return permissions.permitted(transaction, resource, pipeline_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunAccess:
    """Opens connections for the steps of a stage. Whether that is permitted is asked anew at each release.

    `pending` holds, by step id, what a step asked for that nobody has permitted yet.
    """

    store: ConnectionStore
    clock: Callable[[], float]
    run_id: int
    project_id: int
    pipeline_id: int
    pipeline: str
    stage: str
    actor: str
    pending: dict[str, Need] = field(default_factory=dict)

    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        """The connection called `name`, for this step; see `sluice.runtime.request.ConnectionSource`."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(ConflictError):  # edited between looking and opening: look again
                return self._open(job, step, asked, name)
        return self._open(job, step, asked, name)

    def _open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        need = need_of(job, step, asked, name)
        with self.store.database.read() as transaction:
            record = lookup.find(transaction, self.project_id, name)
            names = () if record else connection_rows.names(transaction, self.project_id)
        refusal = refuse(need, _as_known(record, (), permitted=True) if record else None, names)
        if record is None or refusal:
            text = refusal.text if refusal else ""
            self._audit_refusal(name, record.id if record else "", refusal.reason if refusal else "missing")
            raise NotPermittedError(text, where=need.where or None, do=refusal.hint if refusal else "")
        use = Use(
            project_id=self.project_id,
            actor=self.actor,
            pipeline_id=self.pipeline_id,
            run_id=self.run_id,
            stage=self.stage,
            job=shown(job.identifier),
            step_id=step.id,
            step=step.display_name,
            task=step.task,
        )
        try:
            return self.store.open(self.project_id, record.id, use, version=record.version, check=self._check)
        except PermissionPendingError:
            self.pending[step.id] = need
            raise

    def _check(self, transaction: Transaction, record: ConnectionRecord) -> None:
        if not _permitted(transaction, record, self.pipeline_id):
            raise PermissionPendingError(
                f"the pipeline '{self.pipeline}' may not use the service connection '{record.name}' yet",
                do=f"sluice permit {self.run_id} --connection '{record.name}'",
            )

    def _audit_refusal(self, name: str, connection_id: str, reason: str) -> None:
        details = {
            "ResourceType": permissions.ENDPOINT,
            "ResourceName": name,
            "RunId": self.run_id,
            "PipelineName": self.pipeline,
            "Reason": reason,
        }
        with self.store.database.write() as transaction:
            event = audit.Event(
                action=actions.ACCESS_REFUSED,
                actor=self.actor,
                at=self.clock(),
                project_id=self.project_id,
                resource_id=connection_id,
                details=details,
            )
            audit.append(transaction, event)


def need_of(job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Need:
    """What a started step asks for."""
    return Need(
        name=name,
        job=shown(job.identifier),
        step=step.name,
        input=asked.name,
        type=asked.type,
        schemes=asked.schemes,
        where=asked.where,
    )
