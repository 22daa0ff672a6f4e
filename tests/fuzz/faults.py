"""Defects that the model-based test has to notice: each breaks something that is promised about runs.

A fault is an edit of the package's text. Where two places guard one promise both are edited: that one of them is enough
is no defect.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Edit:
    """In the file `path` (below the package) `old` becomes `new`, at its only place."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Fault:
    """What is broken, in a few words, and the edits that break it; `area` are the scenes that should notice first."""

    name: str
    edits: tuple[Edit, ...]
    area: str = "permits"

    def apply(self, package: Path) -> None:
        """Edit a copy of the package; raises `ValueError` where an edit no longer fits what is there."""
        for edit in self.edits:
            file = package / edit.path
            text = file.read_text(encoding="utf-8")
            if text.count(edit.old) != 1:
                raise ValueError(f"{self.name}: {edit.path} holds {text.count(edit.old)} times: {edit.old}")
            file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def _one(name: str, path: str, old: str, new: str) -> Fault:
    return Fault(name, (Edit(path, old, new),))


LOCK = "authorization/checks/lock.py"
APPROVAL = "authorization/checks/approval.py"
SUITE = "authorization/checks/suite.py"
LIMITS = "authorization/limits.py"
RESOURCES = "authorization/resources.py"
CHECKPOINTS = "runs/checkpoints.py"
ACCESS = "runs/access.py"

LOCKS = (
    _one("everybody takes the lock", LOCK, "return Turn.TAKE if free and first else Turn.WAIT", "return Turn.TAKE"),
    _one("a dead run keeps its lock", LOCK, "not any(one.held and one.driven for", "not any(one.held for"),
    _one("a lock is kept after its stage", CHECKPOINTS, "ended.released_at is None and lock.places(ended)", "False"),
    _one("an abandoned lock is still held", CHECKPOINTS, "self.abandoned |= lock.abandoned(mine, queues)", "pass"),
    _one("a run goes on without its lost lock", CHECKPOINTS, "holding = False", "holding = True"),
    _one("a lost lock is not asked for again", CHECKPOINTS, "if self._takes_locks(again):", "if False:"),
    _one("the queue of a lock is unfair", LOCK, "if free and first else", "if free else"),
    _one(
        "an older run of runLatest goes first",
        LOCK,
        "return newer.pipeline_id == older.pipeline_id and newer.run_id > older.run_id",
        "return False",
    ),
    _one(
        "who holds a lock waits for who wants it",
        LOCK,
        "for queue in others for one in queue if not one.places & holding)",
        "for queue in others for one in queue)",
    ),
)

MOVES = (
    _one("checks of the old address hold", "runs/suites.py", "return any(details", "return False and any(details"),
    _one(
        "a Permit for the old address counts",
        "runs/decisions.py",
        "if version == request.resource_version or not any(",
        "if True or not any(",
    ),
    _one(
        "permits stay after a move",
        "connections/store.py",
        "revoked = permissions.revoke_everywhere(transaction, after.id, by=by, at=now)",
        "revoked = ()",
    ),
)

PERMITS = (
    _one(
        "limits of stages do not limit", LIMITS, "if self.stages and stage.casefold()", "if False and stage.casefold()"
    ),
    _one("limits of branches do not limit", LIMITS, "if self.branches and", "if False and"),
    _one("limits of tasks do not limit", LIMITS, "if self.tasks and", "if False and"),
    _one(
        "a Permit of another pipeline counts",
        "storage/permissions.py",
        "return tuple(_permission(row) for row in rows if _holds(transaction, row))\n\n\ndef _vouches",
        "rows = transaction.rows(_CODED.where(_OF_RESOURCE), _key(resource))\n"
        "    return tuple(_permission(row) for row in rows if _holds(transaction, row))\n\n\ndef _vouches",
    ),
    _one("a revoke takes nothing away", "storage/permissions.py", "    if not result.rowcount:\n", "    if True:\n"),
    _one(
        "a revoke is ignored where a secret is released",
        ACCESS,
        "if not (known.permitted or known.within_limits(asked, self.origin)):",
        "if False:",
    ),
    _one(
        "a revoke is ignored where a variable group is opened",
        "runs/opening.py",
        "if assessment.pending:\n            raise",
        "if False:\n            raise",
    ),
    _one(
        "everything counts as permitted",
        RESOURCES,
        "return resource.permitted or resource.within_limits",
        "return True or resource.within_limits",
    ),
    _one("a denial is ignored", "runs/waits.py", "return any(is_denial(request) and", "return any(False and"),
    _one("a wait for a Permit never ends", "runs/waits.py", "if any(request.expires_at <= self._now", "if any(False"),
    _one(
        "a Permit counts after its time-out",
        "runs/decisions.py",
        "late = [one for one in requests_ if one.expires_at <= now]",
        "late = []",
    ),
    Fault(
        "a disabled connection opens",
        (
            Edit(RESOURCES, "    if resource.disabled:\n        hint", "    if False:\n        hint"),
            Edit(RESOURCES, "resource is not None and not resource.disabled and _may", "resource is not None and _may"),
            Edit("connections/release.py", "    if record.disabled:\n", "    if False:\n"),
        ),
    ),
    Fault(
        "an untrusted run gets a connection",
        (Edit(RESOURCES, "if not resource.untrusted.admits(origin.trust):", "if False:"),),
    ),
    _one(
        "a connection that is deleted keeps its permits",
        "connections/deletion.py",
        "for permit in permits:\n",
        "for permit in ():\n",
    ),
)

CHECKS = (
    Fault(
        "checks are not asked where a secret is released",
        (Edit("runs/passing.py", "if any(one.state is State.APPROVED for one in about):", "if True:"),),
    ),
    _one(
        "checks of an earlier attempt count",
        "runs/orchestrator.py",
        "suites=[one for one in stored.suites if one.attempt == attempts.get(one.stage)]",
        "suites=[replace(one, attempt=attempts.get(one.stage, 1)) for one in stored.suites]",
    ),
    Fault(
        "anybody approves",
        (
            Edit(APPROVAL, "if not any(matches(step.who, person) for step in check.steps):", "if False:"),
            Edit(APPROVAL, "if not any(matches(step.who, person) for step in pending(check)):", "if False:"),
            Edit(
                APPROVAL,
                "if step.state is StepState.PENDING and matches(step.who, statement.by)",
                "if step.state is StepState.PENDING",
            ),
        ),
    ),
    _one(
        "the requester approves", APPROVAL, 'casefold() == "true" and same_person', 'casefold() == "x" and same_person'
    ),
    _one(
        "one approver fewer is enough",
        APPROVAL,
        "return min(minimum, len(check.steps)) or len(check.steps)",
        "return max(1, (min(minimum, len(check.steps)) or len(check.steps)) - 1)",
    ),
    _one(
        "one person approves twice",
        APPROVAL,
        "if any(same_person(step.actual, person) for step in check.steps if step.actual):",
        "if False:",
    ),
    _one("approvers in sequence are asked at once", APPROVAL, "if number == 0 or not in_sequence", "if True"),
    _one(
        "a deferred approval counts at once",
        APPROVAL,
        "step.deferred_to is not None and step.deferred_to <= now:",
        "True:",
    ),
    _one("a rejection is ignored", APPROVAL, "if step.state is StepState.REJECTED), None)", "if False), None)"),
    _one(
        "of many approvals at once some are lost",
        "runs/check_decisions.py",
        "for d in reversed(decided) if",
        "for d in decided if",
    ),
    _one("a check never times out", SUITE, "    if check.is_late(now):\n", "    if False:\n"),
    Fault(
        "an approval counts after its time-out",
        (
            Edit(APPROVAL, "    if check.is_late(now):\n", "    if False:\n"),
            Edit(
                SUITE,
                "    if check.is_late(now):\n",
                "    if check.state is State.RUNNING and check.is_late(now) and not approval.is_approval(check):\n",
            ),
        ),
    ),
    _one("a check that waits passes", SUITE, 'if decision.outcome == "approved":\n', 'if decision.outcome != "x":\n'),
    _one(
        "a check's pass holds for ever",
        SUITE,
        "if check.state is State.APPROVED and not check.holds(now):",
        "if False:",
    ),
    _one(
        "an evaluation forgets an approval meanwhile",
        "runs/checking.py",
        "stored = suites.get(transaction, one.suite_id)\n            if stored is not None:",
        "stored = claimed.suite\n            if stored is not None:",
    ),
    _one(
        "a lost evaluation is never begun again",
        SUITE,
        "due_at=now + LEASE_SECONDS)",
        "due_at=None)",
    ),
)

RUNS = (
    _one(
        "a cancel is ignored",
        "runs/orchestrator.py",
        "canceled=bool(run.cancel_requested_by),\n            plan",
        "canceled=False,\n            plan",
    ),
    _one(
        "a dead process's job is not taken up",
        "runs/recovery.py",
        "    if not (left := _left",
        "    if True or not (left := _left",
    ),
    _one(
        "a running job starts once more",
        "runs/jobs.py",
        'if record and record.state == "pending"]\n        for',
        "if record]\n        for",
    ),
    Fault(
        "two processes drive one run",
        (
            Edit(
                "runs/lock.py",
                "            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)\n".replace(
                    "            ", "        "
                ),
                "        pass\n",
            ),
        ),
    ),
    _one(
        "a run that a Permit concerns is not woken",
        "storage/settled.py",
        "return max(*places, self.pipelines.get((project_id, pipeline_id), 0)) > sequence",
        "return False",
    ),
    _one(
        "a run that has a decision of its own is not woken",
        "storage/settled.py",
        '    transaction.execute(_UNSETTLE, {"run": run_id})\n',
        "    return\n",
    ),
    _one(
        "a run whose time has come is not woken", "storage/settled.py", "not canceled and now < until", "not canceled"
    ),
    _one(
        "a canceled run is not woken",
        "storage/settled.py",
        "settled is not None and not canceled",
        "settled is not None",
    ),
    _one(
        "a job that asks late is not told so",
        "runs/phases.py",
        'self.timeline.put(job, state="pending", operation="")\n        return True\n\n    def _refused',
        "return False\n\n    def _refused",
    ),
)

FAULTS = tuple(
    replace(fault, area=area)
    for area, faults in {"locks": LOCKS, "permits": (*MOVES, *PERMITS), "checks": CHECKS, "crashes": RUNS}.items()
    for fault in faults
)
