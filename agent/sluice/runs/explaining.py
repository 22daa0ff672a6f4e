"""What a run of a pipeline would be, without making one: its stages, what each needs, and whether that is permitted."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from sluice.authorization.checks import suite
from sluice.authorization.checks.approval import is_approval
from sluice.authorization.checks.kinds import Kinds
from sluice.authorization.checks.model import Covered
from sluice.authorization.limits import Limits
from sluice.authorization.resources import (
    COMMANDS,
    ENVIRONMENT,
    OF_THE_RUN,
    QUEUE,
    REPOSITORY,
    Assessment,
    Known,
    Need,
)
from sluice.authorization.texts import TYPE_LABELS
from sluice.authorization.trust import RunOrigin
from sluice.connections.store import ConnectionStore
from sluice.hooks.checks import CATEGORIES
from sluice.language.plan import Plan
from sluice.language.resources import ResourceUse, stage_resources
from sluice.language.tasks import TaskCatalogue
from sluice.library.settings import read as read_settings
from sluice.runs import suites
from sluice.runs.access import assess_needs
from sluice.runs.contexts import Contexts
from sluice.runs.creation import NewRun, first_records, given_scope, is_deferred, need_of_use, root_scope, run_facts
from sluice.runs.evaluation import Evaluation
from sluice.runs.forecast import Forecast, forecast
from sluice.runs.groups import StoredGroups
from sluice.runs.orchestrator import installed_kinds
from sluice.runs.timeline import Timeline
from sluice.storage import check_configurations, permissions
from sluice.storage.engine import Transaction
from sluice.storage.pools import find as find_pool
from sluice.storage.pools import is_standard
from sluice.values import dataclass

PERMITTED = "permitted"
NOT_AUTHORIZED = "not-authorized"
RUN_TIME_NAME = "run-time-name"
NOT_ASKED = "not-asked"
MADE = "made"
"""An environment or pool that does not exist: the run makes it."""

_COVERED = Covered(kind="", id="", name="")
_UNASKED = {
    REPOSITORY: "it is not one of the project's own: its service connection is asked for, where it has one",
    QUEUE: "there is no pool of that name, and nothing protects it: the job runs on this machine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedNeed:
    """One place that names a resource. `state` is `permitted`, `not-asked`, `made`, or the code of the reason why not.

    `via` is the connection that leads to this one ('' for what the pipeline names itself), `mend` the command that
    makes it usable ('' where there is none), `checks` are those that have to pass once it is permitted.
    """

    kind: str
    name: str
    where: str
    job: str
    step: str
    input: str
    state: str
    text: str
    via: str = ""
    mend: str = ""
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedStage:
    """A stage, what would become of it, and what it needs."""

    name: str
    display_name: str
    forecast: Forecast
    needs: tuple[ExplainedNeed, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explainer:
    """Explains one pipeline. A pipeline that has never been run has the number 0: only open access holds for it."""

    store: ConnectionStore
    catalogue: TaskCatalogue
    new: NewRun
    now: float
    file: str
    kinds: Callable[[], Kinds] = installed_kinds

    def stages(self, transaction: Transaction) -> tuple[ExplainedStage, ...]:
        """The stages in the order of the file. Nothing is stored."""
        forecasts = self._forecasts(transaction)
        return tuple(
            ExplainedStage(
                name=stage.name,
                display_name=stage.display_name,
                forecast=forecasts[stage.name],
                needs=tuple(
                    need
                    for use in stage_resources(self._plan, stage, self.catalogue)
                    for need in self._needs(transaction, use, stage.name)
                ),
            )
            for stage in self._plan.stages
        )

    @property
    def _plan(self) -> Plan:
        return self.new.plan

    def _forecasts(self, transaction: Transaction) -> Mapping[str, Forecast]:
        plan, new = self._plan, self.new
        contexts = Contexts(plan, started=self.now, counter=lambda _, seed: seed, open_outputs=lambda _: {})
        facts = run_facts(new, 0, self.now)
        groups = StoredGroups(transaction, plan, new.project.id, new.pipeline.id, self._origin)
        root = given_scope(facts, new, read_settings(transaction, new.pipeline.id))
        block = plan.variables if is_deferred(root, plan) else ()
        root = root if block else root_scope(root, plan, contexts)
        evaluation = Evaluation(
            contexts=contexts,
            root=root,
            block=block,
            groups=groups,
            locked=lambda stage: groups.locked(root.values(), block, stage),
        )
        return forecast(plan, evaluation, Timeline(first_records(plan, {stage.name: () for stage in plan.stages})))

    def _needs(self, transaction: Transaction, use: ResourceUse, stage: str) -> Iterator[ExplainedNeed]:
        need = need_of_use(use, stage)
        if use.elsewhere:
            yield _explained(need, need.name, NOT_ASKED, _UNASKED[use.kind])
        elif use.unresolved and use.kind == ENVIRONMENT:
            text = "the environment's name has to be known when the run is created: only root variables are known then"
            yield _explained(need, need.name, RUN_TIME_NAME, text)
        elif use.unresolved and use.kind == QUEUE:
            text = "the pool's name is not known when the run is created, and is not asked for: only root variables are"
            yield _explained(need, need.name, NOT_ASKED, text)
        elif use.unresolved:
            text = f"the name is known only when the step starts: '{use.name}' is looked up then"
            mend = f"sluice run {shlex.quote(self.file)} --permit NAME"
            yield _explained(need, need.name, RUN_TIME_NAME, text, mend)
        elif use.kind == QUEUE and find_pool(transaction, self.new.project.id, use.name) is None:
            text = "every project has it, open to all pipelines: the first run makes it"
            made = is_standard(use.name)
            yield _explained(need, need.name, MADE if made else NOT_ASKED, text if made else _UNASKED[QUEUE])
        else:
            project, pipeline = self.new.project.id, self.new.pipeline.id
            found = assess_needs(transaction, self.store, project, pipeline, [need], self._origin)
            yield from self._assessed(transaction, need, found)

    def _assessed(self, transaction: Transaction, need: Need, assessment: Assessment) -> Iterator[ExplainedNeed]:
        for known in assessment.permitted:
            found = _explained(need, known.name, PERMITTED, self._by(transaction, known))
            yield replace(found, checks=self._checks(transaction, known))
        for pending in assessment.pending:
            known = pending.resource
            text = f"the pipeline '{self.new.pipeline.name}' may not use it yet: a run would wait for a Permit"
            found = _explained(need, known.name, NOT_AUTHORIZED, text, self._permit(known))
            yield replace(found, checks=self._checks(transaction, known))
        for refusal in assessment.refusals:
            if need.kind == ENVIRONMENT:
                text = "it does not exist: the run makes it, and permits this pipeline to use it"
                yield _explained(need, need.name, MADE, text)
                continue
            if refusal.reason in OF_THE_RUN:
                yield _explained(need, refusal.need.name, str(refusal.reason), refusal.text, refusal.mend)
                continue
            hint = "" if refusal.mend in refusal.hint else f" {refusal.hint}"
            yield _explained(need, refusal.need.name, str(refusal.reason), f"{refusal.text}{hint}", refusal.mend)

    def _checks(self, transaction: Transaction, known: Known) -> tuple[str, ...]:
        """The checks of a resource, in the order in which they are asked."""
        resource = permissions.Resource(self.new.project.id, known.id, known.kind)
        rows = [row for row in check_configurations.of_resource(transaction, resource) if not row.disabled]
        if not rows:
            return ()
        kinds = self.kinds()
        checks = [
            suite.new_check(suites.configuration_of(row), _COVERED, kinds.find(row.kind), check_id=str(row.id), now=0.0)
            for row in rows
        ]
        checks.sort(key=lambda check: CATEGORIES.index(check.category))
        return tuple(
            f"{check.label} ({check.settings['approvers']})" if is_approval(check) else check.label for check in checks
        )

    def _by(self, transaction: Transaction, known: Known) -> str:
        resource = permissions.Resource(self.new.project.id, known.id, known.kind)
        for one in permissions.of_resource(transaction, resource):
            if one.pipeline_id == permissions.ALL_PIPELINES:
                return f"open to all pipelines, by {one.authorized_by} on {_day(one.authorized_at)}"
            if one.pipeline_id == self.new.pipeline.id:
                within = f" within {Limits.parse(one.limits)}" if one.limits else ""
                return f"permitted for this pipeline{within} by {one.authorized_by} on {_day(one.authorized_at)}"
        return "permitted"

    def _permit(self, known: Known) -> str:
        pipeline = shlex.quote(self._known_as)
        return f"sluice {COMMANDS[known.kind]} permit {shlex.quote(known.name)} --pipeline {pipeline}"

    @property
    def _origin(self) -> RunOrigin:
        source = self.new.source
        return RunOrigin(branch=source.branch, trust=source.trust, pipeline=self._known_as)

    @property
    def _known_as(self) -> str:
        """What names the pipeline: one that has never been run is known by the path of its file."""
        return self.new.pipeline.name if self.new.pipeline.id else self.file


def _explained(need: Need, name: str, state: str, text: str, mend: str = "") -> ExplainedNeed:
    return ExplainedNeed(
        kind=need.kind,
        name=name,
        where=need.where,
        job=need.job,
        step=need.step,
        input=need.input,
        state=state,
        text=text,
        via=need.name if name.casefold() != need.name.strip().casefold() else "",
        mend=mend,
    )


def _day(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def label(kind: str) -> str:
    """What a kind of resource is called."""
    return TYPE_LABELS.get(kind, kind).lower()


def unmet(stages: Sequence[ExplainedStage]) -> int:
    """How many places name what could not be used."""
    return sum(need.state not in {PERMITTED, NOT_ASKED, MADE} for stage in stages for need in stage.needs)
