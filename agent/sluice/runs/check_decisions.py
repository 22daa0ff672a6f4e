"""What people decide about the checks of a run: approve, reject, reassign, bypass. Each is one transaction.

A decision is about one check of one checkpoint, by its id, which is never used again: one that is replayed, or comes
too late, finds it decided, or not there, and changes nothing. Who may decide is asked here, whoever brings it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sluice.authorization.checks import approval, suite
from sluice.authorization.checks.approval import Statement, Verdict
from sluice.authorization.checks.kinds import APPROVAL
from sluice.authorization.checks.model import Check, State, Suite
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.errors import ConflictError, NotFoundError, NotPermittedError
from sluice.rights import Right
from sluice.runs import suites
from sluice.runs.check_journal import decided_event
from sluice.runs.checkpoints import named
from sluice.runs.outcomes import in_words
from sluice.runs.pipelines import no_run, sees
from sluice.storage import actions, audit, groups, people, projects, runs
from sluice.storage.action import Action
from sluice.storage.names import name_key
from sluice.storage.permissions import Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.storage.engine import Database, Transaction
    from sluice.storage.runs import RunRow

APPROVE_SCOPE = "vso.pipelineresources_use"
"""What an access token needs for decisions about approvals."""

_ACTIONS = {Verdict.APPROVE: actions.APPROVAL_GIVEN, Verdict.REJECT: actions.APPROVAL_REFUSED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """A check and its suite after a decision."""

    suite: Suite
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class Awaited:
    """An approval that waits for somebody, and the run that it lets go on."""

    run: RunRow
    suite: Suite
    check: Check


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckDecisions:
    """Records decisions of a person about checks in a database."""

    database: Database
    clock: Callable[[], float]
    guard: Guard = UNRESTRICTED

    @property
    def by(self) -> str:
        """Who decides."""
        return self.guard.actor.name

    def decide(
        self,
        run_id: int,
        verdict: Verdict,
        checks: Sequence[str] = (),
        *,
        comment: str = "",
        deferred_to: float | None = None,
    ) -> list[Decided]:
        """Approve or reject approvals that a run waits for: those with these ids, or all that wait for the person.

        Raises `NotFoundError` for an id that is none of the run's, `ConflictError` for one that is decided already or
        belongs to an earlier attempt, `NotPermittedError` when the person may not decide it.
        """
        self.guard.require_scope(APPROVE_SCOPE)
        decided: list[Decided] = []
        with self.database.write() as transaction:
            run = self._run(transaction, run_id)
            matches = self._matches(transaction, run)
            statement = Statement(
                verdict=verdict, by=self.by, at=self.clock(), comment=comment, deferred_to=deferred_to
            )
            for one, check in self._chosen(transaction, run, checks, matches):
                after = approval.decide(check, statement, run.requested_by, matches)
                newest = next((d.suite for d in reversed(decided) if d.suite.id == one.id), one)
                stored = suite.put(newest, after)
                suites.save(transaction, [stored])
                more: dict[str, Any] = {"Comment": comment} if comment else {}
                if deferred_to is not None:
                    more["DeferredTo"] = deferred_to
                self._record(transaction, _ACTIONS[verdict], run, stored, after, more)
                decided.append(Decided(suite=stored, check=after))
        return decided

    def bypass(self, run_id: int, check: str, *, comment: str = "") -> Decided:
        """Let a running check count as passed; takes the right to bypass checks of its resource."""
        with self.database.write() as transaction:
            run = self._run(transaction, run_id)
            one, found = self._named(transaction, run, check, of=lambda _: True)
            resource = Resource(run.project_id, found.resource.id, found.resource.kind)
            self.guard.require(transaction, Right.BYPASS, resource, found.resource.name)
            if not found.bypassable:
                raise ConflictError(f"{named(found)} cannot be bypassed")
            if not one.open or found.state is not State.RUNNING:
                raise ConflictError(f"{named(found)} is not running: it is {found.state}")
            message = f"bypassed by {self.by}" + (f": {comment}" if comment else "")
            approval.require_in_time(found, self.clock())
            after = suite.bypass(one, found.id, by=self.by, at=self.clock(), message=message)
            suites.save(transaction, [after])
            passed = _check(after, found.id)
            self._record(
                transaction, actions.CHECK_BYPASSED, run, after, passed, {"Comment": comment} if comment else {}
            )
            return Decided(suite=after, check=passed)

    def rerun(self, run_id: int, check: str, *, comment: str = "") -> Decided:
        """Ask a check that passed once more, while others are open; takes an Administrator of its resource."""
        with self.database.write() as transaction:
            run = self._run(transaction, run_id)
            one, found = self._named(transaction, run, check, of=lambda _: True, state=State.APPROVED)
            resource = Resource(run.project_id, found.resource.id, found.resource.kind)
            self.guard.require(transaction, Right.BYPASS, resource, found.resource.name)
            if not one.open:
                raise ConflictError(
                    f"the checks of stage '{one.stage}' are over: they are {one.state}",
                    do=f"'sluice retry {run_id}' asks all of them anew, where the stage failed or was skipped",
                )
            if not suite.can_rerun(found):
                raise ConflictError(
                    f"{named(found)} cannot be rerun: it is {found.state}",
                    why="only a check that asks a service, once (retry interval 0), and has passed can be",
                )
            after = suite.rerun(one, found.id, self.clock())
            suites.save(transaction, [after])
            again = _check(after, found.id)
            self._record(transaction, actions.CHECK_RERUN, run, after, again, {"Comment": comment} if comment else {})
            return Decided(suite=after, check=again)

    def reassign(self, run_id: int, check: str, approver: str, to: str, *, comment: str = "") -> Decided:
        """Give one approver's part to another; takes that approver, or the right to manage the resource's checks."""
        self.guard.require_scope(APPROVE_SCOPE)
        with self.database.write() as transaction:
            run = self._run(transaction, run_id)
            one, found = self._named(transaction, run, check, of=approval.is_approval)
            project = projects.get(transaction, run.project_id)
            matches = self._matches(transaction, run)
            meant = next((one.who for one in found.steps if approval.same_person(one.approver, approver)), approver)
            if not matches(meant, self.by):
                resource = Resource(run.project_id, found.resource.id, found.resource.kind)
                self.guard.require(transaction, Right.MANAGE_CHECKS, resource, found.resource.name)
            receiver = people.find(transaction, to) or groups.find(transaction, project, to)
            if receiver is None:
                raise NotFoundError(f"there is no user and no group '{to}'", do="see 'sluice user list'")
            if why := approval.never(found, to, run.requested_by, matches):
                raise ConflictError(f"the approval cannot be given to {to}", why=why)
            after = approval.reassign(
                found, approver, to, to_id=receiver.id, by=self.by, at=self.clock(), comment=comment
            )
            stored = suite.put(one, after)
            suites.save(transaction, [stored])
            more = {"Approver": approver, "To": to, **({"Comment": comment} if comment else {})}
            self._record(transaction, actions.APPROVAL_REASSIGNED, run, stored, after, more)
            return Decided(suite=stored, check=after)

    def awaited(self, project_id: int, *, mine: bool) -> list[Awaited]:
        """The approvals of a project's runs that wait: for this person, or for anybody whose resource it sees."""
        found: list[Awaited] = []
        now = self.clock()
        with self.database.read() as transaction:
            for one in suites.active(transaction, APPROVAL.name):
                run = runs.get(transaction, one.run_id)
                if run is None or run.project_id != project_id or run.state == "completed":
                    continue
                matches = self._matches(transaction, run)
                for check in one.checks:
                    if not approval.is_approval(check) or check.state is not State.RUNNING or check.is_late(now):
                        continue
                    resource = Resource(project_id, check.resource.id, check.resource.kind)
                    if approval.objection(check, self.by, run.requested_by, matches) and (
                        mine or not self.guard.allows(transaction, Right.SEE, resource)
                    ):
                        continue
                    found.append(Awaited(run=run, suite=one, check=check))
        return found

    def may_decide(self, transaction: Transaction, run: RunRow, check: Check) -> bool:
        """Whether the person could approve or reject that check now."""
        return not approval.objection(check, self.by, run.requested_by, self._matches(transaction, run))

    def _run(self, transaction: Transaction, run_id: int) -> RunRow:
        """A run that the person sees, or is an approver in, or of which it sees what a check is on."""
        run = runs.get(transaction, run_id)
        if run is None or not (sees(transaction, self.guard, run) or self._concerns(transaction, run)):
            raise no_run(run_id)
        if not run.whole:
            raise runs.tampered(run_id)
        return run

    def _concerns(self, transaction: Transaction, run: RunRow) -> bool:
        matches = self._matches(transaction, run)
        checks = [check for one in suites.of_run(transaction, run.id) for check in one.checks]
        if any(matches(step.who, self.by) for check in checks for step in check.steps):
            return True
        resources = {Resource(run.project_id, check.resource.id, check.resource.kind) for check in checks}
        with contextlib.suppress(NotPermittedError):
            return any(self.guard.allows(transaction, Right.SEE, one) for one in resources)
        return False

    def _chosen(
        self, transaction: Transaction, run: RunRow, ids: Sequence[str], matches: approval.Matches
    ) -> list[tuple[Suite, Check]]:
        if ids:
            return [self._named(transaction, run, one, of=approval.is_approval) for one in dict.fromkeys(ids)]
        waiting = [
            (one, check)
            for one in suites.of_run(transaction, run.id)
            for check in one.checks
            if one.open and approval.is_approval(check) and check.state is State.RUNNING
        ]
        if not waiting:
            state = f"it is over ({in_words(run.result)})" if run.state == "completed" else "no approval is open"
            raise ConflictError(f"run {run.id} waits for no approval: {state}", do=f"see 'sluice runs show {run.id}'")
        objections = [approval.objection(check, self.by, run.requested_by, matches) for _, check in waiting]
        mine = [one for one, why in zip(waiting, objections, strict=True) if not why]
        if not mine:
            why = "; ".join(f"{named(check)}: {text}" for (_, check), text in zip(waiting, objections, strict=True))
            raise NotPermittedError(f"run {run.id} does not wait for {self.by}", why=why)
        return mine

    def _named(
        self,
        transaction: Transaction,
        run: RunRow,
        text: str,
        *,
        of: Callable[[Check], bool],
        state: State = State.RUNNING,
    ) -> tuple[Suite, Check]:
        """A check of a run by its id (or how it begins), or by the name of what it is on."""
        found = [(one, check) for one in suites.of_run(transaction, run.id) for check in one.checks if of(check)]
        wanted = text.strip().casefold()
        exact = [(one, check) for one, check in found if check.id == wanted]
        begins = [(one, check) for one, check in found if len(wanted) >= _SHORTEST and check.id.startswith(wanted)]
        running = [(one, check) for one, check in found if one.open and check.state is state]
        on = [(one, check) for one, check in running if name_key(text) in {name_key(check.resource.name), check.kind}]
        for chosen in (exact, begins, on):
            if len(chosen) == 1:
                return chosen[0]
            if chosen:
                names = ", ".join(f"{named(check)} ({check.id})" for _, check in chosen)
                raise NotFoundError(
                    f"'{text}' may be several checks of run {run.id}", do=f"name one by its id: {names}"
                )
        names = ", ".join(f"{named(check)} ({check.id[:8]})" for _, check in running) or "none"
        raise NotFoundError(
            f"run {run.id} has no check '{text}'",
            do=f"{'it waits for' if state is State.RUNNING else 'passed'}: {names}",
        )

    def _matches(self, transaction: Transaction, run: RunRow) -> approval.Matches:
        """Whether a person is an approver: by its id (or name, where no id is known), or as a member of a group."""
        project = projects.get(transaction, run.project_id)
        known: dict[tuple[str, str], bool] = {}

        def look_up(approver: str, person: str) -> bool:
            if approval.same_person(approver, person):
                return True
            user = people.find(transaction, person)
            if user is None:
                return False
            if other := people.find(transaction, approver):
                return other.id == user.id
            group = groups.find(transaction, project, approver)
            return group is not None and groups.is_member(group, user)

        def matches(approver: str, person: str) -> bool:
            key = (approver, person)
            if key not in known:
                known[key] = look_up(approver, person)
            return known[key]

        return matches

    def _record(
        self,
        transaction: Transaction,
        action: Action,
        run: RunRow,
        one: Suite,
        check: Check,
        more: dict[str, Any],
    ) -> None:
        event = decided_event(action, run, one, check, by=self.by, at=self.clock(), more=more)
        audit.append(transaction, event)


_SHORTEST = 4
"""So many characters of an id are enough, where they are unmistakable."""


def _check(one: Suite, check_id: str) -> Check:
    found = one.check(check_id)
    assert found is not None  # noqa: S101  # it was there before
    return found
