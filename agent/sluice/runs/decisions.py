"""What people decide about runs: permit, deny, cancel. Each is one transaction; deciding twice changes nothing."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sluice.authorization.texts import CHECKS, STAGE, STEP_WAITS, TYPE_LABELS
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.errors import ConflictError, NotFoundError, NotPermittedError
from sluice.rights import Right
from sluice.runs.outcomes import in_words
from sluice.runs.pipelines import no_run, require_queue, require_seen, sees
from sluice.runtime.request import Result
from sluice.storage import actions, audit, connections, permissions, requests, runs, secure_files, variable_groups
from sluice.storage.action import Action
from sluice.storage.names import name_key
from sluice.storage.requests import RequestRow
from sluice.storage.runs import RunRow
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Database, Transaction


END_AT_ONCE = "endAtOnce"
"""The option of a run that was canceled twice: who asked for that."""


STARTED = "started"
"""The option of a run for the stages that were started by hand: by whom each."""

_NO_PERMITS = frozenset({STAGE}) | CHECKS | STEP_WAITS
"""What a run waits for that no Permit ends."""


@dataclass(frozen=True, slots=True)
class ResourceName:
    """A name (or id) of a resource of one kind; a bare text in its place names a resource whatever it is."""

    kind: str
    name: str


Names = Sequence[str | ResourceName]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    """Records decisions of a person (`by`) in a database, as far as `guard` allows them."""

    database: Database
    clock: Callable[[], float]
    by: str
    guard: Guard = UNRESTRICTED

    def permit(self, run_id: int, names: Names = ()) -> list[RequestRow]:
        """Permit what a run waits for (all of it, or the resources named): for this pipeline, now and later.

        Answers the requests that were granted. Raises `NotFoundError` when a name is not among what it waits for, and
        `ConflictError` when a connection leads elsewhere than when it was asked for (it is asked for as it is now, then),
        or when the wait is over.
        """
        changed = []
        with self.database.write() as transaction:
            run = run_of(transaction, run_id)
            if not runs.is_whole(transaction, run_id):
                raise runs.tampered(run_id)
            shown = self._shown(transaction, run)
            chosen = choose(transaction, run, names, of=lambda kind: kind not in _NO_PERMITS, shown=shown)
            for request in chosen:
                self._require(transaction, run, request)
            now = self.clock()
            require_in_time(run, chosen, now)
            changed = [one for one in chosen if _ask_again(transaction, run, one)]
            for request in () if changed else chosen:
                permissions.grant(transaction, _resource(request), request.pipeline_id, by=self.by, at=now)
                requests.decide(transaction, request.id, state="approved", by=self.by, at=now)
        if changed:
            moved = ", ".join(_asked(one) for one in changed)
            raise ConflictError(
                f"nothing is permitted: since run {run_id} asked for it, somebody made it lead elsewhere: {moved}",
                do="look at what it is now, and permit it again if that is what you want",
            )
        return chosen

    def start(self, run_id: int, stages: Sequence[str] = ()) -> list[RequestRow]:
        """Start stages of a run that wait for a person (all of them, or those that are named).

        Answers the requests that were granted. Raises `NotFoundError` for a stage that does not wait.
        """
        with self.database.write() as transaction:
            run = require_seen(transaction, self.guard, run_id)
            names = [ResourceName(STAGE, stage) for stage in stages]
            chosen = choose(transaction, run, names, of=lambda kind: kind == STAGE, what="does not wait to be started")
            require_queue(transaction, self.guard, run)
            now = self.clock()
            require_in_time(run, chosen, now)
            for request in chosen:
                requests.decide(transaction, request.id, state="approved", by=self.by, at=now)
            started = {**run.options.get(STARTED, {}), **{request.stage: self.by for request in chosen}}
            runs.set_options(transaction, run_id, {**run.options, STARTED: started})
            audit.append_all(
                transaction, [_event(actions.STAGE_STARTED, run, request, self.by, now) for request in chosen]
            )
            return chosen

    def deny(self, run_id: int, names: Names = ()) -> list[RequestRow]:
        """Refuse what a run waits for: it cancels the stage that asks, and nothing is kept for later runs."""
        with self.database.write() as transaction:
            run = run_of(transaction, run_id)
            shown = self._shown(transaction, run)
            chosen = choose(transaction, run, names, of=lambda kind: kind not in STEP_WAITS | CHECKS, shown=shown)
            for request in chosen:
                self._require(transaction, run, request)
            now = self.clock()
            for request in chosen:
                requests.decide(transaction, request.id, state="rejected", by=self.by, at=now)
            audit.append_all(
                transaction, [_event(actions.PERMISSION_DENIED, run, request, self.by, now) for request in chosen]
            )
            return chosen

    def cancel(self, run_id: int) -> RunRow:
        """Ask a run to stop; asked again, what runs is ended at once. Raises `ConflictError` when it is over.

        Answers the run as it is then.
        """
        with self.database.write() as transaction:
            run = require_seen(transaction, self.guard, run_id)
            require_queue(transaction, self.guard, run)
            if run.state == "completed":
                raise ConflictError(f"run {run_id} is over ({in_words(run.result)})")
            if not run.cancel_requested_by:
                runs.change(transaction, run_id, cancel_requested_by=self.by)
            elif run.whole and not run.options.get(END_AT_ONCE):  # tampering must not be vouched for
                runs.set_options(transaction, run_id, {**run.options, END_AT_ONCE: self.by})
            if not runs.is_whole(transaction, run_id):  # nobody drives it any more
                runs.change(
                    transaction, run_id, state="completed", result=str(Result.CANCELED), finished_at=self.clock()
                )
            return run_of(transaction, run_id)

    def _shown(self, transaction: Transaction, run: RunRow) -> Callable[[RequestRow], bool]:
        """What of that for which a run waits there is for the person: all of a run that it sees, else what it may permit.

        Raises `NotFoundError` where there is nothing: the run is not there, then.
        """
        if sees(transaction, self.guard, run):
            return lambda _: True
        waiting = requests.of_run(transaction, run.id, state="running")
        mine = {one.id for one in waiting if self._may_permit(transaction, one)}
        if not mine:
            raise no_run(run.id)
        return lambda request: request.id in mine

    def _may_permit(self, transaction: Transaction, request: RequestRow) -> bool:
        if request.resource_type in _NO_PERMITS:
            return False
        with contextlib.suppress(NotPermittedError):
            return self.guard.allows(transaction, Right.PERMIT, _resource(request))
        return False

    def _require(self, transaction: Transaction, run: RunRow, request: RequestRow) -> None:
        """Raise `NotPermittedError` unless the person may decide on what a run asks for."""
        if request.resource_type in _NO_PERMITS:
            require_queue(transaction, self.guard, run)
            return
        pipeline_id = request.pipeline_id
        self.guard.require(
            transaction, Right.PERMIT, _resource(request), request.resource_name, pipeline_id=pipeline_id
        )


def waiting_for(database: Database, run_id: int) -> list[RequestRow]:
    """What a run waits for now."""
    with database.read() as transaction:
        run_of(transaction, run_id)
        return requests.of_run(transaction, run_id, state="running")


def run_of(transaction: Transaction, run_id: int) -> RunRow:
    """The run that somebody decides about; raises `NotFoundError`."""
    run = runs.get(transaction, run_id)
    if run is None:
        raise no_run(run_id)
    return run


def choose(
    transaction: Transaction,
    run: RunRow,
    names: Names,
    *,
    of: Callable[[str], bool] = lambda _: True,
    what: str = "asks for no permission",
    shown: Callable[[RequestRow], bool] = lambda _: True,
) -> list[RequestRow]:
    """What of that for which a run waits is meant: what has one of the names, or all (of the kinds, and as `shown`)."""
    waiting = [request for request in requests.of_run(transaction, run.id, state="running") if shown(request)]
    open_requests = [request for request in waiting if of(request.resource_type)]
    if not open_requests:
        state = f"it is over ({in_words(run.result)})" if run.state == "completed" else "it is not waiting"
        if waiting:
            state = "it waits for " + ", ".join(_asked(one) for one in waiting)
        raise ConflictError(f"run {run.id} {what}: {state}", do=f"see 'sluice runs show {run.id}'")
    if not names:
        return open_requests
    for name in names:
        if not any(_means(name, one) for one in open_requests):
            asked = ", ".join(_asked(one) for one in open_requests)
            raise NotFoundError(f"run {run.id} does not wait for {_shown(name)}", do=f"it waits for {asked}")
    return [one for one in open_requests if any(_means(name, one) for name in names)]


def require_in_time(run: RunRow, requests_: Sequence[RequestRow], now: float) -> None:
    """Raise `ConflictError` for what was waited for long enough, also where nobody has looked since."""
    late = [one for one in requests_ if one.expires_at <= now]
    if late:
        raise ConflictError(
            f"run {run.id} waited long enough for {', '.join(_asked(one) for one in late)}: it timed out",
            do=f"'sluice resume {run.id}' goes on from there, 'sluice retry {run.id}' asks again what has ended",
        )


def _resource(request: RequestRow) -> permissions.Resource:
    return permissions.Resource(request.project_id, request.resource_id, request.resource_type)


def _ask_again(transaction: Transaction, run: RunRow, request: RequestRow) -> bool:
    """Whether a resource leads elsewhere than when it was asked for; then it is asked for as it is now.

    Raises `ConflictError` when it is gone, or the request is not about what it says.
    """
    found = _current(transaction, run.project_id, request)
    if (request.project_id, request.pipeline_id) != (run.project_id, run.pipeline_id) or found is None:
        raise ConflictError(f"what run {run.id} asks for does not exist any more: {_asked(request)}")
    name, version, disabled = found
    if disabled:
        raise ConflictError(
            f"nothing is permitted: {_asked(request)} is disabled",
            do=f"enable it with 'sluice connection update {shlex.quote(name)} --enable', or deny it",
        )
    if name_key(name) != name_key(request.resource_name):
        raise ConflictError(f"what run {run.id} asks for has another name now: {_asked(request)} is '{name}'")
    since = audit.changes_since(transaction, request.resource_id, request.resource_version)
    if version == request.resource_version or not any(details.get("Moved") for details in since):
        return False
    requests.ask_again(transaction, request.id, version=version)
    return True


def _current(transaction: Transaction, project_id: int, request: RequestRow) -> tuple[str, int, bool] | None:
    """Name and version that a resource has now, and whether it is disabled; as asked for where there is no version."""
    found: connections.PublicRow | variable_groups.PublicRow | secure_files.FileRow | None
    if request.resource_type == permissions.ENDPOINT:
        found = connections.by_id(transaction, project_id, request.resource_id)
    elif request.resource_type == permissions.VARIABLE_GROUP:
        found = variable_groups.by_id(transaction, project_id, request.resource_id)
    elif request.resource_type == permissions.SECURE_FILE:
        found = secure_files.by_id(transaction, project_id, request.resource_id)
    else:
        return request.resource_name, request.resource_version, False
    return (found.name, found.version, bool(getattr(found, "disabled", False))) if found else None


def _means(name: str | ResourceName, request: RequestRow) -> bool:
    if isinstance(name, ResourceName):
        return name.kind == request.resource_type and _means(name.name, request)
    return name_key(name) in {name_key(request.resource_name), name_key(request.resource_id)}


def _shown(name: str | ResourceName) -> str:
    return f"{_label(name.kind)} '{name.name}'" if isinstance(name, ResourceName) else f"'{name}'"


def _asked(request: RequestRow) -> str:
    return f"{_label(request.resource_type)} '{request.resource_name}'"


def _label(kind: str) -> str:
    return TYPE_LABELS.get(kind, kind).lower()


def _event(action: Action, run: RunRow, request: RequestRow, by: str, at: float) -> audit.Event:
    return audit.Event(
        action=action,
        actor=by,
        at=at,
        project_id=run.project_id,
        resource_id=request.resource_id,
        details={
            "ResourceType": request.resource_type,
            "ResourceName": request.resource_name,
            "StageName": request.stage,
            "RunId": run.id,
            "PipelineName": run.pipeline,
        },
    )
