"""What people do in the model-based test, told to the reference as far as it was acknowledged."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tests.agent.runs.model_pipelines import Run, Trouble
from tests.agent.runs.model_stores import Stores, draft_of, url_of
from tests.agent.runs.reference import ENDPOINT, GROUP, Limit, Rule, Thing

from sluice.authorization.checks.approval import Verdict
from sluice.authorization.checks.kinds import APPROVAL, EXCLUSIVE_LOCK
from sluice.authorization.limits import Limits
from sluice.authorization.texts import CHECKS
from sluice.connections.connection import Update
from sluice.connections.guard import Unrestricted
from sluice.errors import SluiceError
from sluice.library.group import GroupUpdate
from sluice.runs.check_configuring import Configurations, Entered
from sluice.runs.check_decisions import CheckDecisions
from sluice.runs.decisions import Decisions
from sluice.runs.retrying import retry
from sluice.storage import permissions
from sluice.storage import requests as request_rows

if TYPE_CHECKING:
    from sluice.storage.requests import RequestRow

BOTH = ("alice", "bob")
APPROVALS = {
    "approval": (Rule(("alice",), 1), {"approvers": "alice"}),
    "both": (Rule(BOTH, 2), {"approvers": "alice, bob"}),
    "either": (Rule(BOTH, 1), {"approvers": "alice, bob", "minRequiredApprovers": "1"}),
    "in turn": (Rule(BOTH, 2, in_turn=True), {"approvers": "alice, bob", "executionOrder": "inSequence"}),
    "crew": (Rule(BOTH, 2), {"approvers": "alice, crew"}),  # alice is of the crew, and counts once
    "independent": (
        Rule(("alice",), 1),
        {"approvers": "tester, alice", "minRequiredApprovers": "1", "requesterCannotBeApprover": "true"},
    ),
}
"""The approvals that there are, by what is said of them, and as they are configured."""


def _moved(name: str, place: int) -> Update:
    """Another address, with the secret: without it the old one would have to be given again, and nothing be changed."""
    return Update(url=url_of(name, place), secrets=draft_of(name, place).secrets)


class People(Stores):
    """Decisions about runs, and what owners do with their resources."""

    def decide(self, act: str, choice: int, which: int, who: str, later: int, trouble: Trouble | None) -> None:
        """One thing that a person decides about runs."""
        if act in {"approve", "reject"}:
            if asked := self.approvals():
                run_id, check = asked[choice % len(asked)]
                if act == "approve":
                    self.approve(run_id, check, who, later, trouble)
                else:
                    self.reject(run_id, check, who, trouble)
        elif act == "bypass":
            if asked := self.bypassable():
                self.bypass(*asked[choice % len(asked)], trouble)
        elif self.runs:
            run = self.runs[choice % len(self.runs)]
            if act in {"permit", "deny"}:
                (self.permit if act == "permit" else self.deny)(run, which, trouble)
            else:
                (self.cancel if act == "cancel" else self.retry)(run, trouble)

    def own(self, act: str, name: str, pipeline: str, limit: Limit, trouble: Trouble | None) -> None:
        """One thing that the owner of a resource does with it."""
        if act in {"grant", "limit"}:
            within = limit if name != "settings" else replace(limit, task="")  # no task asks for a group
            self.grant(name, pipeline, within if act == "limit" else Limit(), trouble)
        elif act == "revoke":
            self.revoke(name, pipeline, trouble)
        elif act != "delete":
            self.edit(name, act, trouble)
        elif name != "settings":
            self.delete(name, trouble)

    def _decisions(self) -> Decisions:
        return Decisions(database=self.desk.database, clock=self.clock, by="tester")

    def cancel(self, run: Run, trouble: Trouble | None = None) -> None:
        self._person(lambda: self._decisions().cancel(run.id), lambda: self.reference.canceled.add(run.id), trouble)

    def retry(self, run: Run, trouble: Trouble | None = None) -> None:
        def done() -> None:
            self.reference.canceled.discard(run.id)
            self.reference.attempts[run.id] = self.reference.attempts.get(run.id, 1) + 1

        self._person(lambda: retry(self.desk.orchestrator, run.id), done, trouble)

    def _asked(self, run: Run) -> list[RequestRow]:
        with self.desk.database.read() as transaction:
            waits = request_rows.of_run(transaction, run.id, state="running")
        return [one for one in waits if one.resource_type not in CHECKS]

    def permit(self, run: Run, which: int, trouble: Trouble | None = None) -> None:
        asked = self._asked(run)
        names = [asked[which % len(asked)].resource_name] if asked and which else []
        chosen = [one for one in asked if not names or one.resource_name in names]
        done: list[RequestRow] = []

        def then() -> None:
            with self.desk.database.read() as transaction:
                now = {one.id: one.state for one in request_rows.of_run(transaction, run.id)}
            wanted = done or chosen  # what was answered; after a kill what was asked for before
            granted = [one for one in wanted if now[one.id] == "approved"]
            assert len(granted) in {0, len(wanted)}
            for one in granted:
                thing = self.reference.by_id(one.resource_id)
                seen = self.reference.asked.get((one.id, one.resource_version), thing.place)
                assert seen == thing.place, f"{thing} leads elsewhere than when it was asked for"
                assert one.expires_at > self.clock(), f"it was waited for {thing} long enough"
                thing.permits[run.pipeline] = Limit()

        self._person(lambda: done.extend(self._decisions().permit(run.id, names)), then, trouble)

    def deny(self, run: Run, which: int, trouble: Trouble | None = None) -> None:
        asked = self._asked(run)
        names = [asked[which % len(asked)].resource_name] if asked and which else []
        chosen = [one for one in asked if not names or one.resource_name in names]
        done: list[RequestRow] = []

        def then() -> None:
            for one in done or chosen:
                self.reference.denied[one.id] = (run.id, one.stage, one.stage_attempt, one.job_id, one.resource_id)

        self._person(lambda: done.extend(self._decisions().deny(run.id, names)), then, trouble)

    def _checks(self, who: str) -> CheckDecisions:
        return CheckDecisions(database=self.desk.database, clock=self.clock, guard=Unrestricted(who))

    def approvals(self) -> list[tuple[int, str]]:
        """Every approval that there ever was, by its run: decisions may come too late."""
        return [
            (one.run, asked.id)
            for one in reversed(self.reference.checkpoints.values())
            for asked in one.asked
            if asked.kind == "approval"
        ]

    def bypassable(self) -> list[tuple[int, str]]:
        return [
            (one.run, asked.id)
            for one in reversed(self.reference.checkpoints.values())
            for asked in one.asked
            if asked.kind == "gate"
        ]

    def approve(self, run_id: int, check: str, who: str, later: int, trouble: Trouble | None = None) -> None:
        now = self.clock()
        until = now + later if later else None

        def then() -> None:
            self.reference.approve(check, who, until or now, now)

        self._person(
            lambda: self._checks(who).decide(run_id, Verdict.APPROVE, [check], deferred_to=until), then, trouble
        )

    def reject(self, run_id: int, check: str, who: str, trouble: Trouble | None = None) -> None:
        self._person(
            lambda: self._checks(who).decide(run_id, Verdict.REJECT, [check]),
            lambda: self.reference.rejected.add(check),
            trouble,
        )

    def bypass(self, run_id: int, check: str, trouble: Trouble | None = None) -> None:
        self._person(
            lambda: self._checks("tester").bypass(run_id, check), lambda: self.reference.bypassed.add(check), trouble
        )

    def grant(self, name: str, pipeline: str, limit: Limit, trouble: Trouble | None = None) -> None:
        thing = self.reference.thing(name)
        if not thing.there:
            return
        texts = [[text] if text else [] for text in (limit.stage, limit.branch, limit.task)]
        limits = Limits.of(*texts).text()

        def act() -> None:
            with self.desk.database.write() as transaction:
                owner = self._protected(thing)
                known = self.pipelines[pipeline].id
                permissions.grant(transaction, owner, known, by="tester", at=self.clock(), limits=limits, replace=True)

        def then() -> None:
            thing.permits[pipeline] = limit

        self._person(act, then, trouble)

    def revoke(self, name: str, pipeline: str, trouble: Trouble | None = None) -> None:
        thing = self.reference.thing(name)

        def act() -> None:
            with self.desk.database.write() as transaction:
                known = self.pipelines[pipeline].id
                permissions.revoke(transaction, self._protected(thing), known, by="tester", at=self.clock())

        def then() -> None:
            thing.permits.pop(pipeline, None)

        self._person(act, then, trouble)

    def edit(self, name: str, how: str, trouble: Trouble | None = None) -> None:
        thing = self.reference.thing(name)
        said = f"{thing.described}."
        if thing.kind == GROUP:
            update = GroupUpdate(description=said)
            self._person(
                lambda: self.desk.orchestrator.groups.update("default", name, update, by="tester"),
                lambda: setattr(thing, "described", said),
                trouble,
            )
            return
        change, then = {
            "describe": (Update(description=said), lambda: setattr(thing, "described", said)),
            "move": (_moved(name, thing.place + 1), thing.move),
            "disable": (Update(disabled=True), lambda: setattr(thing, "enabled", False)),
            "enable": (Update(disabled=False), lambda: setattr(thing, "enabled", True)),
        }[how]
        done = self._person(lambda: self.desk.store.update("default", name, change, by="tester"), then, trouble)
        assert done or trouble or not thing.there, f"{name} cannot be changed: {how}"

    def delete(self, name: str, trouble: Trouble | None = None) -> None:
        thing = self.reference.thing(name)
        self._person(lambda: self.desk.store.delete("default", name, by="tester"), thing.delete, trouble)

    def restore(self, name: str, trouble: Trouble | None = None) -> None:
        thing = self.reference.thing(name)
        if not thing.there:
            self._person(lambda: self.desk.store.restore("default", thing.id, by="tester"), thing.restore, trouble)

    def bring_back(self, *, again: bool, trouble: Trouble | None) -> None:
        """A connection that was deleted comes back, or another one of its name."""
        for name in [name for name, thing in self.reference.things.items() if not thing.there][:1]:
            if again:
                self.create_again(name)
            else:
                self.restore(name, trouble)

    def create_again(self, name: str) -> None:
        """Another connection of that name, when there is none: nothing that held for the old one holds for it."""
        if self.reference.thing(name).there:
            return
        made = self.desk.store.create("default", draft_of(name, 0), by="tester").record
        self.reference.things[name] = Thing(ENDPOINT, name, made.id)

    def _configurations(self) -> Configurations:
        return Configurations(orchestrator=self.desk.orchestrator, guard=Unrestricted("tester"))

    def add_check(self, name: str, kind: str) -> None:
        thing = self.reference.thing(name)
        if not thing.there or len(thing.checks) > 2:
            return
        rule, declared = Rule(), EXCLUSIVE_LOCK if kind == "lock" else self.gate
        settings: dict[str, str] = {}
        if kind in APPROVALS:
            (rule, settings), declared = APPROVALS[kind], APPROVAL
        try:
            row = self._configurations().add("default", thing.kind, name, declared, Entered(settings=settings))
        except SluiceError:
            assert kind == "lock"  # there is one already
        else:
            thing.checks[row.id], thing.rules[row.id] = row.kind, rule

    def configure(self, name: str, kind: str, *, add: bool) -> None:
        if add:
            self.add_check(name, kind)
        else:
            self.disable_check(name)

    def disable_check(self, name: str) -> None:
        thing = self.reference.thing(name)
        if thing.checks:
            self._configurations().set_disabled("default", min(thing.checks), disabled=True)
            thing.checks.pop(min(thing.checks))
