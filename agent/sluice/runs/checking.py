"""Evaluates checks that are due, outside of any transaction, and records what they said.

Of several processes that find a check due one evaluates it: the evaluation is claimed first, for a while. What a late
one says counts no more.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sluice.authorization.checks import suite
from sluice.authorization.checks.model import Check, Suite
from sluice.connections import lookup
from sluice.connections.preparation import prepare
from sluice.connections.sealing import Identity, Sealed
from sluice.errors import SluiceError
from sluice.hooks.checks import Callback, CheckedResource, CheckFacts, CheckRun, Decision, Evaluations
from sluice.language import success_criteria
from sluice.language.expressions import ExpressionError
from sluice.library import lookup as groups
from sluice.runs import check_callbacks, suites
from sluice.runs.check_facts import facts_of, variables_of
from sluice.runs.checkpoints import Due
from sluice.secret import Secret
from sluice.storage import check_configurations, projects, runs
from sluice.storage.usage import Use
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.hooks.connection import Connection, Value
    from sluice.runs.decide import Advanced
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.engine import Transaction
    from sluice.storage.runs import RunRow

LINKED_GROUP = "linkedVariableGroup"
"""The setting with the id of the variable group whose variables a check may name."""

SETTINGS = "check settings"
"""What the seal calls the secret settings of checks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claimed:
    """An evaluation that is ours to make."""

    run: RunRow
    suite: Suite
    check: Check
    facts: CheckFacts
    secrets: Mapping[str, Secret]
    callback: Callback


class Criteria:
    """The language of success criteria, as checks ask for it."""

    def holds(self, criteria: str, root: Any) -> bool:
        """Whether a JSON value fulfils the criteria; raises `SluiceError` where they cannot be evaluated."""
        try:
            return success_criteria.holds(criteria, root)
        except ExpressionError as error:
            raise SluiceError(str(error)) from error

    def problem(self, criteria: str) -> str:
        """Why the text is no such expression; '' when it is one."""
        return success_criteria.problem(criteria)


def settle(orchestrator: Orchestrator, run_id: int, *, driven: bool = False) -> Advanced:
    """Advance a run and evaluate what is due until neither leads further."""
    while (advanced := orchestrator.advance(run_id, driven=driven)).evaluate:
        evaluate(orchestrator, advanced.evaluate)
    return advanced


def evaluate(orchestrator: Orchestrator, due: Sequence[Due]) -> None:
    """Evaluate checks and record what they said; those that somebody else evaluates are left alone."""
    for one in due:
        claimed = _claim(orchestrator, one)
        if claimed is None:
            continue
        decision = _decision(orchestrator, claimed)
        with orchestrator.database.write() as transaction:
            stored = suites.get(transaction, one.suite_id)
            if stored is not None:
                count = claimed.check.evaluations
                after = suite.record(stored, one.check_id, count, decision, orchestrator.clock())
                if after != stored:
                    suites.save(transaction, [after])


def run_for(
    orchestrator: Orchestrator,
    facts: CheckFacts,
    check: Check,
    *,
    now: float,
    secrets: Mapping[str, Secret],
    variables: Mapping[str, Value],
    use: Use,
    callback: Callback | None = None,
) -> CheckRun:
    """What an evaluation is given. A connection that it opens is one of the project, and its use is written down.

    Variables of the linked group go before those of the run: what a pipeline defines is no match for them. Raises
    `SluiceError` when the group cannot be opened.
    """
    settings: dict[str, Value] = {**check.settings, **secrets}
    if linked := check.settings.get(LINKED_GROUP, ""):
        group = _opened_group(orchestrator, linked, use)
        ours = {name.casefold() for name in group}
        variables = {**{name: value for name, value in variables.items() if name.casefold() not in ours}, **group}

    def connection(name: str) -> Connection:
        with orchestrator.database.read() as transaction:
            record = lookup.get(transaction, use.project_id, name)
        return prepare(orchestrator.store.open(use.project_id, record.id, use, version=record.version))

    return CheckRun(
        facts=facts,
        now=datetime.fromtimestamp(now, UTC),
        resource=CheckedResource(kind=check.resource.kind, name=check.resource.name, id=check.resource.id),
        settings=settings,
        timeout=check.timeout,
        retry_interval=check.retry_interval,
        so_far=_so_far(check, now),
        variables=variables,
        connection=connection,
        callback=callback,
        criteria=Criteria(),
    )


def ask(orchestrator: Orchestrator, kind: str, run: CheckRun) -> Decision:
    """What a kind of check says; whatever goes wrong in it is an error of that evaluation."""
    found = orchestrator.kinds().find(kind)
    if found is None:
        return Decision.error(f"no loaded plugin offers the kind of check '{kind}'")
    try:
        decision = found.evaluate(run)
    except SluiceError as error:
        return Decision.error(str(error))
    except Exception as error:  # noqa: BLE001  # a plugin's defect must neither pass a check nor stop the run
        sys.stderr.write(f"sluice: the check '{kind}' failed: {type(error).__name__}: {error}\n")
        return Decision.error(f"the check itself failed: {type(error).__name__}")
    if not isinstance(decision, Decision):
        return Decision.error(f"the check answered a {type(decision).__name__}, not a decision")
    return decision


def open_secrets(
    orchestrator: Orchestrator, transaction: Transaction, configuration_id: int, version: int
) -> Mapping[str, Secret]:
    """The secret settings of a check in that version; none when it has been changed or removed meanwhile."""
    row = check_configurations.sealed(transaction, configuration_id)
    if row is None or row.version != version:
        return {}
    sealed = Sealed(row.key_id, row.wrapped_key, row.sealed)
    text = orchestrator.store.sealer.open(Identity(SETTINGS, str(configuration_id), version), sealed)
    return {key: Secret(value) for key, value in json.loads(text).items()}


def _claim(orchestrator: Orchestrator, one: Due) -> _Claimed | None:
    """Begin an evaluation, unless it is not due any more."""
    with orchestrator.database.write() as transaction:
        now = orchestrator.clock()
        stored = suites.get(transaction, one.suite_id)
        if stored is None or all(check.id != one.check_id for check in suite.due(stored, now)):
            return None
        run = runs.get(transaction, stored.run_id)
        if run is None or not run.whole:
            return None
        claimed = suite.claim(stored, one.check_id, now)
        check = claimed.check(one.check_id)
        assert check is not None  # noqa: S101  # it is due
        check, token = check_callbacks.issue(check, now)
        claimed = suite.put(claimed, check)
        suites.save(transaction, [claimed])
        project = projects.get(transaction, run.project_id)
        facts = facts_of(run, claimed, orchestrator.plan(transaction, run.id), project)
        callback = check_callbacks.callback_of(
            claimed, check, token, server=orchestrator.server, project_id=project.guid, plan_id=facts.plan_id
        )
        secrets = _secrets_of(orchestrator, transaction, run.project_id, check)
    return _Claimed(run=run, suite=claimed, check=check, facts=facts, secrets=secrets, callback=callback)


def _secrets_of(
    orchestrator: Orchestrator, transaction: Transaction, project_id: int, check: Check
) -> Mapping[str, Secret]:
    """The secret settings of a check that has begun: those of now, as long as they go with the settings it began with.

    Settings that were changed meanwhile may say where the secrets are sent to: then none is given to the old ones.
    """
    row = check_configurations.get(transaction, project_id, check.configuration_id)
    if row is None or dict(row.settings) != dict(check.settings):
        return {}
    return open_secrets(orchestrator, transaction, row.id, row.version)


def _decision(orchestrator: Orchestrator, claimed: _Claimed) -> Decision:
    run, check = claimed.run, claimed.check
    use = Use(
        project_id=run.project_id,
        actor=run.requested_by,
        pipeline_id=run.pipeline_id,
        run_id=run.id,
        stage=claimed.suite.stage,
        job="",
        step_id=check.id,
        step=f"{check.label} check",
        task="",
    )
    try:
        given = run_for(
            orchestrator,
            claimed.facts,
            check,
            now=orchestrator.clock(),
            secrets=claimed.secrets,
            variables=variables_of(run.options),
            use=use,
            callback=claimed.callback,
        )
    except SluiceError as error:
        return Decision.error(str(error))
    return ask(orchestrator, check.kind, given)


def _opened_group(orchestrator: Orchestrator, group_id: str, use: Use) -> Mapping[str, Value]:
    """The variables of the group that a check is linked with, its secrets opened; that is its use and written down."""
    with orchestrator.database.read() as transaction:
        group = groups.get(transaction, use.project_id, group_id)
    fetched = orchestrator.groups.fetch(group)
    with orchestrator.database.write() as transaction:
        return orchestrator.groups.open_in(transaction, group, fetched, use).variables


def _so_far(check: Check, now: float) -> Evaluations:
    def moment(at: float) -> datetime:
        return datetime.fromtimestamp(at, UTC)

    outcomes = {"approved": Decision.approved, "rejected": Decision.rejected, "error": Decision.error}
    last = outcomes.get(check.last_outcome, Decision.waiting)(check.message) if check.last_outcome else None
    return Evaluations(
        started_at=moment(check.started_at if check.started_at is not None else now),
        count=max(0, check.evaluations - 1),
        last_at=moment(check.last_at) if check.last_at is not None else None,
        last=last,
    )
