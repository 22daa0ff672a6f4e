"""The checks of a checkpoint as values: what is configured, and what has become of it so far."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import field
from typing import Any, Literal

from sluice.hooks.checks import Category
from sluice.values import dataclass


class State(enum.StrEnum):
    """The state of a check, and of the suite of all checks of a checkpoint (`CheckRunStatus`)."""

    QUEUED = "queued"
    RUNNING = "running"
    APPROVED = "approved"
    REJECTED = "rejected"
    CANCELED = "canceled"
    TIMED_OUT = "timedOut"
    FAILED = "failed"
    BYPASSED = "bypassed"


PASSED = frozenset({State.APPROVED, State.BYPASSED})
NEGATIVE = frozenset({State.REJECTED, State.CANCELED, State.TIMED_OUT, State.FAILED})


class StepState(enum.StrEnum):
    """The state of one approver's part (`ApprovalStatus`)."""

    UNINITIATED = "uninitiated"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    SKIPPED = "skipped"
    CANCELED = "canceled"
    TIMED_OUT = "timedOut"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A check as it is configured on a resource; `timeout` and `retry_interval` are minutes."""

    id: int = 0
    project_id: int
    resource_kind: str
    resource_id: str
    kind: str
    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: frozenset[str] = frozenset()
    timeout: int
    retry_interval: int = 0
    disabled: bool = False
    version: int = 1
    created_by: str = ""
    created_at: float = 0.0
    modified_by: str = ""
    modified_at: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Covered:
    """A resource that a suite decides about, in the version that it had then (0 for what has none).

    `named_at_run_time`: the pipeline does not name it; a variable did when a step ran. `caution` is what an approver
    should know of it.
    """

    kind: str
    id: str
    name: str
    version: int = 0
    named_at_run_time: bool = False
    caution: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One approver's part of an approval; `approver` is as configured (or reassigned), `actual` who decided.

    `approver_id` is the id of the user or group that was meant ('' in what was configured before ids were kept).
    """

    approver: str
    approver_id: str = ""
    state: StepState = StepState.PENDING
    actual: str = ""
    comment: str = ""
    initiated_at: float | None = None
    modified_at: float | None = None
    deferred_to: float | None = None
    history: tuple[Mapping[str, Any], ...] = ()

    @property
    def who(self) -> str:
        """What tells the approver from everybody else, also from somebody who has that name later."""
        return self.approver_id or self.approver


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check of a suite. What it was configured with when it began holds to its end.

    `due_at` is when it is to be evaluated next (None: not by itself), `holds_until` when its pass ends (None: never),
    `evaluations` how often an evaluation was begun, `hands_back` that its pass ended by its own word (business hours).
    `token_digest` is of the token with which a service may answer it, up to `token_until`.
    """

    id: str
    configuration_id: int
    configuration_version: int
    kind: str
    label: str
    category: Category
    resource: Covered
    settings: Mapping[str, str] = field(default_factory=dict)
    timeout: int
    retry_interval: int = 0
    final: bool = False
    on_timeout: Literal["skipped", "failed"] = "failed"
    bypassable: bool = False
    record_type: str = "Checkpoint.TaskCheck"
    state: State = State.QUEUED
    message: str = ""
    created_at: float
    started_at: float | None = None
    expires_at: float | None = None
    completed_at: float | None = None
    due_at: float | None = None
    holds_until: float | None = None
    hands_back: bool = False
    evaluations: int = 0
    last_at: float | None = None
    last_outcome: str = ""
    decided_by: str = ""
    token_digest: str = ""
    token_until: float | None = None
    steps: tuple[Step, ...] = ()

    def holds(self, now: float) -> bool:
        """Whether its pass is good at that moment."""
        return self.state in PASSED and (self.holds_until is None or now < self.holds_until)

    def is_late(self, now: float) -> bool:
        """Whether its time is over at that moment, also where nobody has looked since."""
        return self.state is State.RUNNING and self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """The checks of one checkpoint: of a stage's attempt or, with `job_id` and `step_id`, of a step that asks late.

    `resources` are all that it covers, those without checks too. `released_at` tells when its exclusive locks were
    given back, `replaced` that the resources changed and another suite asks anew.
    """

    id: str
    run_id: int
    project_id: int
    pipeline_id: int
    stage: str
    attempt: int
    job_id: str = ""
    step_id: str = ""
    requester: str = ""
    lock_behavior: str = ""
    state: State = State.QUEUED
    message: str = ""
    created_at: float
    completed_at: float | None = None
    released_at: float | None = None
    replaced: bool = False
    resources: tuple[Covered, ...] = ()
    checks: tuple[Check, ...] = ()

    @property
    def open(self) -> bool:
        """Whether it is still being decided."""
        return self.state in {State.QUEUED, State.RUNNING}

    def check(self, check_id: str) -> Check | None:
        """The check of that id."""
        return next((check for check in self.checks if check.id == check_id), None)

    def covers(self, kind: str, resource_id: str) -> Covered | None:
        """What it says of a resource."""
        return next((one for one in self.resources if (one.kind, one.id) == (kind, resource_id)), None)
