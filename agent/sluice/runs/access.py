"""What a run may use: facts for authorization from the store, and connections opened for a step under its check."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace

from sluice.authorization.limits import Limits
from sluice.authorization.resources import (
    ENDPOINT,
    ENVIRONMENT,
    QUEUE,
    REPOSITORY,
    SECURE_FILE,
    VARIABLE_GROUP,
    Assessment,
    Key,
    Known,
    Need,
    Reason,
    Refusal,
    assess,
    in_other_project,
    refuse,
)
from sluice.authorization.trust import TRUSTED_RUN, RunOrigin, Trust, Untrusted
from sluice.connections import expiry, lookup, sharing
from sluice.connections.catalogue import Catalogue
from sluice.connections.connection import ConnectionRecord
from sluice.connections.preparation import prepare
from sluice.connections.store import ConnectionStore
from sluice.errors import ConflictError, NotPermittedError, PermissionPendingError
from sluice.hooks.connection import Connection
from sluice.library import lookup as groups
from sluice.library import secure_files as files
from sluice.library.group import VariableGroup
from sluice.library.store import resource_of
from sluice.runs.identifiers import shown
from sluice.runs.passing import Passing
from sluice.runtime.request import ConnectionInput, JobRequest, StepRequest
from sluice.storage import actions, audit, environments, expiries, permissions, policies, pools, projects, repositories
from sluice.storage import connections as connection_rows
from sluice.storage import secure_files as file_rows
from sluice.storage import variable_groups as group_rows
from sluice.storage.engine import Transaction
from sluice.storage.usage import Use
from sluice.values import dataclass

TRIES = 3
"""How often a connection is looked up that somebody edits at the same moment."""


def assess_needs(
    transaction: Transaction,
    store: ConnectionStore,
    project_id: int,
    pipeline_id: int,
    needs: Sequence[Need],
    origin: RunOrigin = TRUSTED_RUN,
    *,
    disabled_waits: bool = False,
) -> Assessment:
    """Which of the needs of a run are permitted now, wait for a permit, or cannot be met; see `assess`."""
    if not needs:
        return Assessment()
    found: dict[Key, Known] = {}
    if connections := [need.name for need in needs if need.kind == ENDPOINT]:
        found |= _connections(transaction, store.catalogue, project_id, pipeline_id, connections, origin.trust)
    for name in {need.name for need in needs if need.kind == VARIABLE_GROUP}:
        if group := groups.find(transaction, project_id, name):
            found[VARIABLE_GROUP, name] = _known_group(transaction, group, pipeline_id, origin.trust)
    for name in {need.name for need in needs if need.kind == ENVIRONMENT}:
        if environment := environments.find(transaction, project_id, name):
            found[ENVIRONMENT, name] = _known_environment(transaction, environment, pipeline_id)
    for name in {need.name for need in needs if need.kind == QUEUE}:
        if pool := pools.find(transaction, project_id, name):
            found[QUEUE, name] = _known_pool(transaction, pool, pipeline_id)
    # nothing protects a pool that nobody made: the job runs on this machine, whatever it names
    needs = [need for need in needs if need.kind != QUEUE or need.key in found]
    for name in {need.name for need in needs if need.kind == SECURE_FILE}:
        if file := files.find(transaction, project_id, name):
            found[SECURE_FILE, name] = known_file(transaction, file, pipeline_id, origin.trust)
    if any(need.kind == REPOSITORY for need in needs):
        home = projects.get(transaction, project_id)
        for name in {need.name for need in needs if need.kind == REPOSITORY}:
            found[REPOSITORY, name] = known_repository(transaction, home, name, pipeline_id)
    missing = {need.kind for need in needs if need.key not in found}
    names = {kind: seen_names(transaction, store, kind, project_id) for kind in missing}
    assessment = assess(needs, found, names, origin, disabled_waits=disabled_waits)
    refusals = tuple(_or_elsewhere(transaction, store, project_id, one) for one in assessment.refusals)
    return replace(assessment, refusals=refusals)


def seen_names(transaction: Transaction, store: ConnectionStore, kind: str, project_id: int) -> list[str]:
    """The names of a project's resources, as far as the person sees them."""
    try:
        seen = store.guard.seen(transaction, project_id, kind)
    except NotPermittedError:
        return []  # an access token that only starts runs
    if kind == ENDPOINT:
        return [one.name for one in connection_rows.listed(transaction, project_id) if seen(one.id)]
    if kind == VARIABLE_GROUP:
        return [one.name for one in group_rows.listed(transaction, project_id) if seen(one.id)]
    if kind == SECURE_FILE:
        return [one.name for one in file_rows.listed(transaction, project_id) if seen(one.id)]
    if kind == REPOSITORY:
        rows = repositories.listed(transaction, projects.get(transaction, project_id))
        return [repositories.name_of(one) for one in rows if seen(one.id)]
    if kind == QUEUE:
        return [one.name for one in pools.listed(transaction, project_id) if seen(one.id)]
    return [one.name for one in environments.listed(transaction, project_id) if seen(one.id)]


def _or_elsewhere(transaction: Transaction, store: ConnectionStore, project_id: int, refusal: Refusal) -> Refusal:
    """A refusal, which says so when the connection is in another project that the person sees it in."""
    if refusal.reason is not Reason.MISSING or refusal.need.kind != ENDPOINT or not project_id:
        return refusal
    try:
        other = sharing.other_project(store, transaction, project_id, refusal.need.name)
    except NotPermittedError:
        return refusal  # as above
    return in_other_project(refusal, other, projects.get(transaction, project_id).name) if other else refusal


def _connections(
    transaction: Transaction,
    catalogue: Catalogue,
    project_id: int,
    pipeline_id: int,
    names: Iterable[str],
    trust: Trust,
) -> Mapping[Key, Known]:
    """The connections that the names mean, and those that they link to, by the name that was used."""
    found: dict[Key, Known] = {}
    queue = list(names)
    while queue:
        name = queue.pop()
        record = None if (ENDPOINT, name) in found else lookup.find(transaction, project_id, name)
        if record is not None:
            linked = tuple(lookup.links(record, catalogue).values())
            standing = known_connection(transaction, record, pipeline_id, trust)
            caution = lookup.cautions(record, catalogue)
            found[ENDPOINT, name] = replace(standing, linked=linked, caution=caution)
            queue.extend(linked)
    return found


def known_connection(
    transaction: Transaction, record: ConnectionRecord, pipeline_id: int, trust: Trust = Trust.TRUSTED
) -> Known:
    """What authorization has to know of a connection, for a pipeline's run of that trust."""
    resource = permissions.Resource(record.project_id, record.id)
    known = Known(
        id=record.id,
        name=record.name,
        type=record.type,
        scheme=record.scheme,
        disabled=record.disabled,
        version=record.version,
    )
    return _standing(transaction, known, resource, pipeline_id, trust)


def _known_group(transaction: Transaction, group: VariableGroup, pipeline_id: int, trust: Trust) -> Known:
    resource = resource_of(group)
    known = Known(id=group.id, name=group.name, kind=VARIABLE_GROUP, version=group.version)
    holds_secrets = bool(group.secrets or group.references)
    return _standing(transaction, known, resource, pipeline_id, trust if holds_secrets else Trust.TRUSTED)


def _known_environment(transaction: Transaction, environment: environments.Environment, pipeline_id: int) -> Known:
    known = Known(id=environment.id, name=environment.name, kind=ENVIRONMENT)
    return _standing(transaction, known, environments.resource_of(environment), pipeline_id, Trust.TRUSTED)


def _known_pool(transaction: Transaction, pool: pools.Pool, pipeline_id: int) -> Known:
    known = Known(id=pool.id, name=pool.name, kind=QUEUE)
    return _standing(transaction, known, pools.resource_of(pool), pipeline_id, Trust.TRUSTED)


def known_repository(transaction: Transaction, home: projects.Project, name: str, pipeline_id: int) -> Known:
    """What authorization has to know of a repository of a project. Whichever is named is protected: none is registered."""
    resource = repositories.resource_of(home, name)
    known = Known(id=resource.id, name=name, kind=REPOSITORY)
    return _standing(transaction, known, resource, pipeline_id, Trust.TRUSTED)


def _standing(
    transaction: Transaction, known: Known, resource: permissions.Resource, pipeline_id: int, trust: Trust
) -> Known:
    """With the permits that there are, and whether it lets in a run of that trust."""
    permits = permissions.standing(transaction, resource, pipeline_id)
    allowed = Untrusted.FORKS
    if trust is not Trust.TRUSTED:
        allowed = Untrusted(policies.untrusted(transaction, resource))
    return replace(
        known,
        permitted=any(not one.limits for one in permits),
        limits=tuple(Limits.parse(one.limits) for one in permits if one.limits),
        untrusted=allowed,
    )


class RefusedError(NotPermittedError):
    """A connection that no Permit of a person can give to this use."""

    def __init__(self, refusal: Refusal, connection: ConnectionRecord, where: str) -> None:
        super().__init__(refusal.text, where=where or None, do=refusal.hint)
        self.refusal = refusal
        self.connection = connection


def known_file(
    transaction: Transaction, file: file_rows.FileRow, pipeline_id: int, trust: Trust = Trust.TRUSTED
) -> Known:
    """What authorization has to know of a secure file, for a pipeline's run of that trust."""
    known = Known(id=file.id, name=file.name, kind=SECURE_FILE, version=file.version)
    return _standing(transaction, known, file_rows.resource_of(file), pipeline_id, trust)


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
    attempt: int = 1
    origin: RunOrigin = TRUSTED_RUN
    pending: dict[str, Need] = field(default_factory=dict)

    def open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        """The connection called `name`, for this step; see `sluice.runtime.request.ConnectionSource`."""
        for _ in range(TRIES - 1):
            with contextlib.suppress(ConflictError):  # edited between looking and opening: look again
                return prepare(self._open(job, step, asked, name))
        return prepare(self._open(job, step, asked, name))

    def _open(self, job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str) -> Connection:
        need = need_of(job, step, asked, name, self.stage)
        with self.store.database.read() as transaction:
            record = lookup.find(transaction, self.project_id, name)
            names = () if record else seen_names(transaction, self.store, ENDPOINT, self.project_id)
            known = self._known(transaction, record) if record else None
            notes = self._notes(transaction, record) if record else ()
            refusal = refuse(need, known, names, self.origin)
            if refusal:
                refusal = _or_elsewhere(transaction, self.store, self.project_id, refusal)
        if record is None or refusal:
            text = refusal.text if refusal else ""
            self.audit_refusal(name, record.id if record else "", refusal.reason if refusal else "missing")
            if refusal and refusal.reason is Reason.DISABLED:  # whoever disabled it may enable it again
                self.pending[step.id] = need
                raise PermissionPendingError(refusal.text, where=need.where or None, do=refusal.hint)
            raise NotPermittedError(text, where=need.where or None, do=refusal.hint if refusal else "")
        use = self.use_of(job, step)
        try:
            check = self._check(need, job.id)
            opened = self.store.open(self.project_id, record.id, use, version=record.version, check=check)
        except RefusedError as error:
            self.audit_refusal(error.connection.name, error.connection.id, error.refusal.reason)
            raise
        except PermissionPendingError:
            self.pending[step.id] = need
            raise
        return replace(opened, notes=notes)

    def use_of(self, job: JobRequest, step: StepRequest) -> Use:
        """What the usage history says of a release to a step."""
        return Use(
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

    def _notes(self, transaction: Transaction, record: ConnectionRecord) -> tuple[str, ...]:
        """Warnings of what of the connection expires soon, or has."""
        now = self.clock()
        found = expiries.of(transaction, [record.id]).get(record.id, ())
        soon = [one for one in found if one.at <= now + expiry.SOON_DAYS * expiry.DAY]
        return tuple(
            f"The service connection '{record.name}' {expiry.phrase(one.at, now)}"
            f"{f' ({one.kind} in {one.field})' if one.field else ''}: renew it with 'sluice connection rotate'."
            for one in soon
        )

    def _known(self, transaction: Transaction, record: ConnectionRecord) -> Known:
        return known_connection(transaction, record, self.pipeline_id, self.origin.trust)

    def _check(self, need: Need, job_id: str) -> Callable[[Transaction, ConnectionRecord], None]:
        """What is asked in the transaction that releases the secret, of this connection and those it goes through."""

        def check(transaction: Transaction, record: ConnectionRecord) -> None:
            known = self._known(transaction, record)
            asked = replace(need, name=record.name, type="", schemes=())
            if refusal := refuse(asked, known, (), self.origin):
                raise RefusedError(refusal, record, need.where)
            if not (known.permitted or known.within_limits(asked, self.origin)):
                raise PermissionPendingError(
                    f"the pipeline '{self.pipeline}' may not use the service connection '{record.name}' yet",
                    do=f"sluice permit {self.run_id} --connection '{record.name}'",
                )
            resource = permissions.Resource(record.project_id, record.id)
            self.passing(job_id).require(transaction, resource, record.name, record.version)

        return check

    def check_again(self, use: Use, job_id: str) -> Callable[[Transaction, ConnectionRecord], None]:
        """What is asked before more leaves for a use that has begun."""
        need = Need(name="", stage=use.stage, task=use.task, job=use.job, step=use.step)
        return self._check(need, job_id)

    def passing(self, job_id: str) -> Passing:
        """What the checks of resources have to have passed for."""
        return Passing(run_id=self.run_id, stage=self.stage, attempt=self.attempt, job_id=job_id)

    def audit_refusal(self, name: str, resource_id: str, reason: str, *, kind: str = permissions.ENDPOINT) -> None:
        """Record that a step asked for what it cannot have."""
        details = {
            "ResourceType": kind,
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
                resource_id=resource_id,
                details=details,
            )
            audit.append(transaction, event)


def need_of(job: JobRequest, step: StepRequest, asked: ConnectionInput, name: str, stage: str = "") -> Need:
    """What a started step asks for."""
    return Need(
        name=name,
        stage=stage,
        task=step.task,
        job=shown(job.identifier),
        step=step.name,
        input=asked.name,
        type=asked.type,
        schemes=asked.schemes,
        where=asked.where,
    )
