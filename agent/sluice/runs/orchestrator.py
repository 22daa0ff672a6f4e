"""Advances runs: reads stored state, decides, stores, and only then answers what to do.

Stateless over the database: any process may advance any run, at any time, any number of times.
"""

from __future__ import annotations

import functools
import time
import uuid
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace

from sluice.authorization.checks import lock, suite
from sluice.authorization.checks.kinds import EXCLUSIVE_LOCK, Kinds
from sluice.authorization.checks.lock import Claim, Place
from sluice.authorization.checks.model import Check, Covered
from sluice.authorization.resources import Assessment, Need, Refusal
from sluice.connections.sealing import Sealed
from sluice.connections.store import ConnectionStore
from sluice.language.plan import Job, Plan, Stage
from sluice.language.plan_json import decode
from sluice.language.tasks import TaskCatalogue
from sluice.library.secure_files import SecureFileStore
from sluice.library.settings import SettingsStore
from sluice.library.store import VariableGroupStore
from sluice.runs import decide, suites, vouched_waits
from sluice.runs.access import assess_needs
from sluice.runs.check_journal import asked_event, completed_event
from sluice.runs.contexts import Contexts
from sluice.runs.decide import Advanced, Situation
from sluice.runs.decisions import STARTED
from sluice.runs.environments import record_deployments, target_of
from sluice.runs.evaluation import Evaluation
from sluice.runs.groups import StoredGroups, has_groups, uses_groups
from sluice.runs.job_access import JobAccess
from sluice.runs.lock import is_driven
from sluice.runs.phases import Instance
from sluice.runs.predefined import origin_of
from sluice.runs.progress import decode_secrets
from sluice.runs.secrets import markers
from sluice.runs.step_waits import DECIDED
from sluice.runs.stored import Stored, read
from sluice.runs.timeline import Timeline
from sluice.runs.variables import scope_of
from sluice.runs.waits import Asker, is_denial
from sluice.runtime.request import JobVariable
from sluice.secret import Secret
from sluice.storage import (
    actions,
    audit,
    check_configurations,
    check_suites,
    counters,
    job_tokens,
    permissions,
    records,
    requests,
    runs,
    settled,
    usage,
)
from sluice.storage.engine import Database, Transaction
from sluice.storage.home import Home
from sluice.storage.runs import RunRow
from sluice.values import dataclass

Assessed = dict[Hashable, Assessment]
"""What was permitted when it was asked, by who asked for what: good for one transaction."""

PLANS = 16
"""How many compiled pipelines are kept for runs that have the same."""

decoded = functools.lru_cache(maxsize=PLANS)(decode)

WAIT_SECONDS = 7 * 24 * 3600.0
"""How long a run waits for a Permit (documented: 7 days), unless `SLUICE_PERMISSION_TIMEOUT_MINUTES` says otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A run as it is stored now, with what evaluates its pipeline's text."""

    run: RunRow
    situation: Situation
    evaluation: Evaluation

    @property
    def plan(self) -> Plan:
        """The compiled pipeline."""
        return self.situation.plan


Then = Callable[[Transaction, Loaded, Advanced], None]
"""What follows from a decision in its transaction."""


class Orchestrator:
    """Reads and advances the runs of one database.

    `tasks` gives the task catalogue when a job is made ready, `kinds` the kinds of checks when one is configured.
    `server` is the address where the far side of a check calls back ('' where nobody could), `job_access` lets jobs
    speak to that server.
    """

    def __init__(
        self,
        database: Database,
        home: Home,
        store: ConnectionStore,
        tasks: Callable[[], TaskCatalogue],
        *,
        clock: Callable[[], float] = time.time,
        wait_seconds: float = WAIT_SECONDS,
        kinds: Callable[[], Kinds] | None = None,
        server: str = "",
        job_access: JobAccess | None = None,
    ) -> None:
        self.database = database
        self.home = home
        self.store = store
        self.settings = SettingsStore(database, store.sealer, clock=clock)
        self.groups = VariableGroupStore(database, store.sealer, clock=clock, sources=store.sources)
        self.secure_files = SecureFileStore(database, store.sealer, clock=clock)
        self.tasks = tasks
        self.clock = clock
        self.kinds = kinds or installed_kinds
        self.server = server
        self.job_access = job_access
        self._wait_seconds = wait_seconds
        self._plans: dict[int, Plan] = {}
        self._with_groups: dict[int, bool] = {}

    def advance(self, run_id: int, *, driven: bool = False, then: Then | None = None) -> Advanced:
        """Take a run as far as stored state allows; what the answer says to do has been stored before.

        `driven` says that a process drives the run, so that it may take exclusive locks. `then` is called in the same
        transaction when jobs are ready, with the run as it was before and what was decided.
        """
        with self.database.write() as transaction:
            audit.check_head(transaction)
            stored = read(transaction, run_id, steps=False)
            return self.advance_in(transaction, stored, driven=driven, then=then)

    def advance_in(
        self,
        transaction: Transaction,
        stored: Stored,
        *,
        driven: bool = False,
        assessed: Assessed | None = None,
        then: Then | None = None,
    ) -> Advanced:
        """As `advance`, of what was read in a transaction, with what was `assessed` in it for other runs."""
        if stored.run.state == "completed":
            return Advanced(timeline=Timeline(stored.records))
        loaded = self._loaded(transaction, stored)
        world = _World(self, transaction, loaded, driven=driven, assessed={} if assessed is None else assessed)
        advanced = decide.advance(loaded.situation, world)
        if not (stored.requests or advanced.asked or loaded.situation.canceled):
            advanced = replace(advanced, calm=True)
        self._store(transaction, loaded, advanced, world.now)
        self._settle(transaction, stored.run, advanced, afresh=assessed is not None)
        audit.append_all(transaction, [_refused_event(loaded.run, one, world.now) for one in world.refused])
        if then is not None and advanced.ready:
            then(transaction, loaded, advanced)
        if not (stored.suites or advanced.suites):
            return advanced
        return replace(advanced, mark=check_suites.mark(transaction, stored.run.id))

    def load(self, transaction: Transaction, run_id: int, *, steps: bool = True) -> Loaded:
        """A run as it is stored; raises `NotFoundError`. Without `steps` they are read when somebody asks for them."""
        return self._loaded(transaction, read(transaction, run_id, steps=steps))

    def _loaded(self, transaction: Transaction, stored: Stored) -> Loaded:
        run = stored.run
        vouched_waits.require(transaction, run.id, stored.records)
        attempts = {row.identifier: row.attempt for row in stored.records if row.type == "Stage"}
        situation = Situation(
            asker=Asker(
                run_id=run.id,
                project_id=run.project_id,
                pipeline_id=run.pipeline_id,
                wait_seconds=self._wait_seconds,
                requester=run.requested_by,
                started=run.options.get(STARTED, {}),
                decided=run.options.get(DECIDED, {}),
            ),
            canceled=bool(run.cancel_requested_by),
            plan=self.plan(transaction, run.id),
            records=stored.records,
            requests=[one for one in stored.requests if one.stage_attempt == attempts.get(one.stage)],
            suites=[one for one in stored.suites if one.attempt == attempts.get(one.stage)],
            steps=stored.steps,
        )
        contexts = Contexts(
            situation.plan,
            started=run.created_at,
            canceled=situation.canceled,
            denied=frozenset(one.stage for one in situation.requests if is_denial(one)),
            counter=lambda prefix, seed: counters.once_a_run(transaction, run.pipeline_id, run.id, prefix, seed),
            open_outputs=lambda job_id: self._open_outputs(transaction, run.id, job_id),
        )
        sealed = markers(run.options)
        public = [JobVariable(name=name, value=value, readonly=ro) for name, value, ro in run.options["variables"]]
        variables = [*public, *sealed]
        origin = origin_of(run.options, run.pipeline)
        groups = StoredGroups(transaction, situation.plan, run.project_id, run.pipeline_id, origin)
        block = situation.plan.variables if sealed or has_groups(situation.plan.variables) else ()
        evaluation = Evaluation(
            contexts=contexts,
            root=scope_of(variables),
            block=block,
            groups=groups,
            locked=lambda stage: groups.locked(variables, block, stage),
            target=lambda job: target_of(
                transaction, situation.plan, run.project_id, job.deployment.environment if job.deployment else None
            ),
        )
        return Loaded(run=run, situation=situation, evaluation=evaluation)

    def plan(self, transaction: Transaction, run_id: int) -> Plan:
        """The compiled pipeline of a run."""
        if (plan := self._plans.get(run_id)) is None:
            plan = self._plans[run_id] = decoded(runs.plan(transaction, run_id))
        return plan

    def share_plans(self, transaction: Transaction, run_ids: Sequence[int]) -> None:
        """Read the plans of many runs at once, and forget those that were read before."""
        self._plans.clear()
        self._with_groups.clear()
        for run_id, text in runs.plans(transaction, run_ids):
            self._plans[run_id] = decoded(text)

    def uses_groups(self, transaction: Transaction, run_id: int) -> bool:
        """Whether any variable group comes in anywhere in a run."""
        if (found := self._with_groups.get(run_id)) is None:
            found = self._with_groups[run_id] = uses_groups(self.plan(transaction, run_id))
        return found

    def _store(self, transaction: Transaction, loaded: Loaded, advanced: Advanced, now: float) -> None:
        run = loaded.run
        records.add(transaction, run.id, vouched_waits.vouched(transaction, run.id, advanced.timeline.added()))
        records.save(transaction, run.id, vouched_waits.vouched(transaction, run.id, advanced.timeline.changed()))
        moved = (*advanced.timeline.added(), *advanced.timeline.changed())
        record_deployments(transaction, loaded.plan, run, moved, at=now)
        requests.add(transaction, advanced.asked)
        audit.append_all(transaction, [asked_event(run, request, now) for request in advanced.asked])
        for request_id, detail in advanced.details:
            requests.set_detail(transaction, request_id, detail)
        self._store_suites(transaction, run, advanced, now)
        for request_id, state in advanced.closed:
            requests.decide(transaction, request_id, state=state, by="", at=now)
        if advanced.result is not None:
            runs.change(transaction, run.id, state="completed", result=str(advanced.result), finished_at=now)
            usage.run_finished(transaction, run.id, str(advanced.result), at=now)
            job_tokens.forget(transaction, run.id)

    def _settle(self, transaction: Transaction, run: RunRow, advanced: Advanced, *, afresh: bool) -> None:
        """Note that a run merely waits, or that it does no more.

        A mark that is there already is good enough for who looks at one run, again and again: to store a newer one would
        wake everybody else who looks.
        """
        until, head = advanced.settled_until, audit.check_head(transaction).sequence
        if until is None:
            if run.settled is not None:
                settled.unsettle(transaction, run.id)
        elif run.settled is None or _stored_anything(advanced) or (afresh and run.settled != head):
            settled.settle(transaction, run.id, sequence=head, until=until)

    def _store_suites(self, transaction: Transaction, run: RunRow, advanced: Advanced, now: float) -> None:
        suites.save(transaction, advanced.suites)
        audit.append_all(transaction, [completed_event(transaction, run, one, now) for one in advanced.completed])
        for suite_id in advanced.superseded:
            if other := suites.get(transaction, suite_id):
                suites.save(transaction, [suite.cancel(other, now, lock.SUPERSEDED)])
        for suite_id in advanced.abandoned:
            if other := suites.get(transaction, suite_id):
                suites.save(transaction, [replace(other, released_at=now)])

    def _open_outputs(self, transaction: Transaction, run_id: int, job_id: str) -> Mapping[str, Secret]:
        row = runs.sealed(transaction, run_id, job_id, runs.OUTPUTS)
        if row is None:
            return {}
        sealed = Sealed(row.key_id, row.wrapped_key, row.sealed)
        raw = self.store.sealer.open_blob(sealed_identity(run_id, job_id), runs.OUTPUTS, sealed)
        return decode_secrets(raw)


class _World:
    """The facts and evaluations of one decision."""

    def __init__(
        self,
        orchestrator: Orchestrator,
        transaction: Transaction,
        loaded: Loaded,
        *,
        driven: bool,
        assessed: Assessed,
    ) -> None:
        self._assessed = assessed
        self.driven = driven
        self._orchestrator = orchestrator
        self._transaction = transaction
        self._loaded = loaded
        self.now = orchestrator.clock()
        self.refused: list[Refusal] = []

    def assess(self, needs: Sequence[Need]) -> Assessment:
        if not needs:
            return Assessment()
        run = self._loaded.run
        store, origin = self._orchestrator.store, origin_of(run.options, run.pipeline)
        asked = (run.project_id, run.pipeline_id, origin, tuple(needs))
        if (assessment := self._assessed.get(asked)) is None:
            assessment = self._assessed[asked] = assess_needs(
                self._transaction, store, run.project_id, run.pipeline_id, needs, origin, disabled_waits=True
            )
        self.refused.extend(assessment.refusals)
        return assessment

    def new_id(self) -> str:
        return str(uuid.uuid4())

    def checks_on(self, resource: Covered) -> list[Check]:
        place = permissions.Resource(self._loaded.run.project_id, resource.id, resource.kind)
        rows = [row for row in check_configurations.of_resource(self._transaction, place) if not row.disabled]
        if not rows:
            return []
        kinds = self._orchestrator.kinds()
        return [
            suite.new_check(
                suites.configuration_of(row), resource, kinds.find(row.kind), check_id=self.new_id(), now=self.now
            )
            for row in rows
        ]

    def moved(self, resource: Covered, version: int) -> bool:
        return suites.moved(self._transaction, resource, version)

    def lock_claims(self, place: Place) -> list[Claim]:
        found: list[Claim] = []
        folder = self._orchestrator.home.root / "locks"
        for one in suites.active(self._transaction, EXCLUSIVE_LOCK.name, [place]):
            claims = lock.claims(one, driven=is_driven(folder, one.run_id))
            found.extend(claim for where, claim in claims.items() if where == place)
        return found

    def stage_runs(self, stage: Stage, timeline: Timeline) -> bool:
        return self._loaded.evaluation.stage_runs(stage, timeline)

    def job_runs(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        return self._loaded.evaluation.job_runs(stage, job, timeline)

    def instances(self, stage: Stage, job: Job, timeline: Timeline) -> tuple[list[Instance], int]:
        return self._loaded.evaluation.instances(stage, job, timeline)

    def continues_on_error(self, stage: Stage, job: Job, timeline: Timeline) -> bool:
        return self._loaded.evaluation.continues_on_error(stage, job, timeline)


def _stored_anything(advanced: Advanced) -> bool:
    waits = (*advanced.asked, *advanced.closed, *advanced.details, *advanced.suites)
    return bool(waits or advanced.timeline.added() or advanced.timeline.changed())


def sealed_identity(run_id: int, job_id: str) -> str:
    """What the progress and the secret outputs of a job are sealed for."""
    return f"run {run_id} job {job_id}"


def _refused_event(run: RunRow, refusal: Refusal, now: float) -> audit.Event:
    return audit.Event(
        action=actions.ACCESS_REFUSED,
        actor=run.requested_by,
        at=now,
        project_id=run.project_id,
        resource_id=refusal.resource_id,
        details={
            "StageName": refusal.need.stage,
            "RunId": run.id,
            "ResourceType": refusal.need.kind,
            "ResourceName": refusal.need.name,
            "PipelineName": run.pipeline,
            "Reason": str(refusal.reason),
        },
    )


def installed_kinds() -> Kinds:
    """The kinds of checks of this installation: Sluice's own, and those of its plugins."""
    from sluice.hooks.manager import installed

    return Kinds(installed().check_types)
