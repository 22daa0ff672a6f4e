"""Suites of checks as they are stored: between the values of authorization and the rows of the database."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sluice.authorization.checks import lock
from sluice.authorization.checks.model import Check, Configuration, Covered, State, Step, StepState, Suite
from sluice.storage import audit, check_suites
from sluice.storage.check_suites import CheckRunRow, SuiteRow

if TYPE_CHECKING:
    from sluice.storage.check_configurations import ConfigurationRow
    from sluice.storage.engine import Transaction

_OWN = frozenset({"id", "run_id", "stage", "attempt", "job_id", "state"})
"""What of a suite stands in columns of its own."""


def of_run(transaction: Transaction, run_id: int) -> list[Suite]:
    """The suites of a run, of all attempts, oldest first."""
    return [_suite(row) for row in check_suites.of_run(transaction, run_id)]


def of_runs(transaction: Transaction, run_ids: Sequence[int]) -> dict[int, list[Suite]]:
    """The suites of many runs, by run, oldest first."""
    found: dict[int, list[Suite]] = {}
    for row in check_suites.of_runs(transaction, run_ids):
        found.setdefault(row.run_id, []).append(_suite(row))
    return found


def of_stage(transaction: Transaction, run_id: int, stage: str, attempt: int) -> list[Suite]:
    """The suites of one attempt of a stage, oldest first."""
    return [_suite(row) for row in check_suites.of_stage(transaction, run_id, stage, attempt)]


def get(transaction: Transaction, suite_id: str) -> Suite | None:
    """One suite."""
    row = check_suites.get(transaction, suite_id)
    return _suite(row) if row else None


def of_check(transaction: Transaction, check_id: str) -> Suite | None:
    """The suite that a check belongs to."""
    row = check_suites.of_check(transaction, check_id)
    return _suite(row) if row else None


def active(transaction: Transaction, kind: str, places: Iterable[lock.Place] = ()) -> list[Suite]:
    """The suites with a check of that kind that waits for something or holds a lock, oldest first."""
    return [_suite(row) for row in check_suites.active(transaction, kind, tuple(places))]


def save(transaction: Transaction, suites: Iterable[Suite]) -> None:
    """Store suites as they are now."""
    check_suites.save(
        transaction, [(_row(suite), [_run_row(suite, check) for check in suite.checks]) for suite in suites]
    )


def moved(transaction: Transaction, resource: Covered, version: int) -> bool:
    """Whether a resource leads elsewhere in this version than in the one that was looked at."""
    if resource.version == version:
        return False
    since = audit.changes_since(transaction, resource.id, resource.version)
    return any(details.get("Moved") for details in since)


def configuration_of(row: ConfigurationRow) -> Configuration:
    """A stored check as authorization has it."""
    return Configuration(
        id=row.id,
        project_id=row.project_id,
        resource_kind=row.resource_type,
        resource_id=row.resource_id,
        kind=row.kind,
        settings=row.settings,
        secrets=frozenset(row.secret_names),
        timeout=row.timeout,
        retry_interval=row.retry_interval,
        disabled=row.disabled,
        version=row.version,
        created_by=row.created_by,
        created_at=row.created_at,
        modified_by=row.modified_by,
        modified_at=row.modified_at,
    )


def _row(suite: Suite) -> SuiteRow:
    content = {name: value for name, value in asdict(suite).items() if name not in _OWN}
    return SuiteRow(
        id=suite.id,
        run_id=suite.run_id,
        stage=suite.stage,
        attempt=suite.attempt,
        job_id=suite.job_id,
        state=str(suite.state),
        content=json.dumps(content, ensure_ascii=False, separators=(",", ":")),
    )


def _run_row(suite: Suite, check: Check) -> CheckRunRow:
    return CheckRunRow(
        id=check.id,
        kind=check.kind,
        resource_type=check.resource.kind,
        resource_id=check.resource.id,
        active=lock.is_active(suite, check),
    )


def _suite(row: SuiteRow) -> Suite:
    content: dict[str, Any] = json.loads(row.content)
    content["resources"] = tuple(Covered(**one) for one in content["resources"])
    content["checks"] = tuple(map(_check, content["checks"]))
    own = {name: getattr(row, name) for name in _OWN}
    return Suite(**{**content, **own, "state": State(row.state)})


def _check(content: dict[str, Any]) -> Check:
    steps = tuple(
        Step(**{**step, "state": StepState(step["state"]), "history": tuple(step["history"])})
        for step in content["steps"]
    )
    covered = Covered(**content["resource"])
    return Check(**{**content, "state": State(content["state"]), "resource": covered, "steps": steps})
