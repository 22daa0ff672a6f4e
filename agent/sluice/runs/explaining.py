"""What a run of a pipeline would be, without making one: its stages, what each needs, and whether that is permitted."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sluice.authorization.resources import (
    ENDPOINT,
    ENVIRONMENT,
    VARIABLE_GROUP,
    Assessment,
    Known,
    Need,
    Reason,
    Refusal,
)
from sluice.authorization.texts import TYPE_LABELS
from sluice.connections.store import ConnectionStore
from sluice.language.plan import Plan
from sluice.language.resources import ResourceUse, stage_resources
from sluice.language.tasks import TaskCatalogue
from sluice.library.settings import read as read_settings
from sluice.runs.access import assess_needs
from sluice.runs.contexts import Contexts
from sluice.runs.creation import NewRun, first_records, given_scope, is_deferred, need_of_use, root_scope, run_facts
from sluice.runs.evaluation import Evaluation
from sluice.runs.forecast import Forecast, forecast
from sluice.runs.groups import StoredGroups
from sluice.runs.timeline import Timeline
from sluice.storage import permissions
from sluice.storage.engine import Transaction

PERMITTED = "permitted"
NOT_AUTHORIZED = "not-authorized"
RUN_TIME_NAME = "run-time-name"
NOT_ASKED = "not-asked"
MADE = "made"
"""An environment that does not exist: the run makes it."""

_COMMANDS = {ENDPOINT: "connection", VARIABLE_GROUP: "variable-group", ENVIRONMENT: "environment"}
_UNASKED = {
    "repository": "Sluice asks for the service connection of a repository, not for the repository",
    "queue": "Sluice runs the job where it is dispatched, whatever its pool",
    "securefile": "Sluice keeps no secure files",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedNeed:
    """One place that names a resource. `state` is `permitted`, `not-asked`, `made`, or the code of the reason why not.

    `via` is the connection that leads to this one ('' for what the pipeline names itself), `mend` the command that
    makes it usable ('' where there is none).
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
                    for need in self._needs(transaction, use)
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
        groups = StoredGroups(transaction, plan, new.project.id, new.pipeline.id)
        root = given_scope(facts, new, read_settings(transaction, new.pipeline.id))
        block = plan.variables if is_deferred(root, plan) else ()
        root = root if block else root_scope(root, plan, contexts)
        evaluation = Evaluation(
            contexts=contexts,
            root=root,
            block=block,
            groups=groups,
            locked=lambda: groups.locked(root.values(), block),
        )
        return forecast(plan, evaluation, Timeline(first_records(plan, {stage.name: () for stage in plan.stages})))

    def _needs(self, transaction: Transaction, use: ResourceUse) -> Iterator[ExplainedNeed]:
        need = need_of_use(use)
        if use.unresolved and use.kind == ENVIRONMENT:
            text = "the environment's name has to be known when the run is created: only root variables are known then"
            yield _explained(need, need.name, RUN_TIME_NAME, text)
        elif use.unresolved:
            text = f"the name is known only when the step starts: '{use.name}' is looked up then"
            mend = f"sluice run {shlex.quote(self.file)} --permit NAME"
            yield _explained(need, need.name, RUN_TIME_NAME, text, mend)
        elif use.kind not in _COMMANDS:
            yield _explained(need, need.name, NOT_ASKED, _UNASKED[use.kind])
        else:
            project, pipeline = self.new.project, self.new.pipeline
            yield from self._assessed(
                transaction, need, assess_needs(transaction, self.store, project.id, pipeline.id, [need])
            )

    def _assessed(self, transaction: Transaction, need: Need, assessment: Assessment) -> Iterator[ExplainedNeed]:
        for known in assessment.permitted:
            yield _explained(need, known.name, PERMITTED, self._by(transaction, known))
        for pending in assessment.pending:
            known = pending.resource
            text = f"the pipeline '{self.new.pipeline.name}' may not use it yet: a run would wait for a Permit"
            yield _explained(need, known.name, NOT_AUTHORIZED, text, self._permit(known))
        for refusal in assessment.refusals:
            if need.kind == ENVIRONMENT:
                text = "it does not exist: the run makes it, and permits this pipeline to use it"
                yield _explained(need, need.name, MADE, text)
                continue
            text = f"{refusal.text} {refusal.hint}".strip()
            yield _explained(need, refusal.need.name, str(refusal.reason), text, _mend(refusal))

    def _by(self, transaction: Transaction, known: Known) -> str:
        resource = permissions.Resource(self.new.project.id, known.id, known.kind)
        for one in permissions.of_resource(transaction, resource):
            if one.pipeline_id == permissions.ALL_PIPELINES:
                return f"open to all pipelines, by {one.authorized_by} on {_day(one.authorized_at)}"
            if one.pipeline_id == self.new.pipeline.id:
                return f"permitted for this pipeline by {one.authorized_by} on {_day(one.authorized_at)}"
        return "permitted"

    def _permit(self, known: Known) -> str:
        # a pipeline that has never been run is known by the path of its file
        pipeline = self.new.pipeline.name if self.new.pipeline.id else self.file
        return f"sluice {_COMMANDS[known.kind]} permit {shlex.quote(known.name)} --pipeline {shlex.quote(pipeline)}"


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


def _mend(refusal: Refusal) -> str:
    need = refusal.need
    name = shlex.quote(need.name)
    if need.kind == VARIABLE_GROUP:
        return f"sluice variable-group create {name} --set NAME=VALUE"
    if refusal.reason is Reason.DISABLED:
        return f"sluice connection update {name} --enable"
    kind = f" --type {shlex.quote(need.type)}" if need.type else " --type TYPE"
    schemes = f" --scheme {shlex.quote(need.schemes[0])}" if need.schemes else ""
    if refusal.reason is Reason.MISSING:
        return f"sluice connection create {name}{kind}{schemes}"
    other = shlex.quote(f"{need.name}-{need.schemes[0] if refusal.reason is Reason.WRONG_SCHEME else need.type}")
    return f"sluice connection create {other}{kind}{schemes}"


def _day(seconds: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def label(kind: str) -> str:
    """What a kind of resource is called."""
    return TYPE_LABELS.get(kind, {"queue": "pool", "securefile": "secure file"}.get(kind, kind)).lower()


def unmet(stages: Sequence[ExplainedStage]) -> int:
    """How many places name what could not be used."""
    return sum(need.state not in {PERMITTED, NOT_ASKED, MADE} for stage in stages for need in stage.needs)
