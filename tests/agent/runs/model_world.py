"""Everything that may happen in the model-based test: processes, people, time, and the end of it all."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from tests.agent.runs.model_people import People
from tests.agent.runs.model_pipelines import PIPELINES, Run, Spec, Trouble
from tests.agent.runs.nodes import Active, Node
from tests.agent.runs.reference import Limit

from sluice.authorization.checks.approval import Verdict
from sluice.authorization.checks.kinds import APPROVAL, EXCLUSIVE_LOCK
from sluice.errors import SluiceError
from sluice.language.compiler import compile_pipeline
from sluice.runs import suites
from sluice.runs.checking import evaluate
from sluice.runs.creation import NewRun, create
from sluice.runs.predefined import Source
from sluice.runs.stored import read
from sluice.storage import audit, records, settled
from sluice.storage import requests as request_rows
from sluice.storage import runs as run_rows

if TYPE_CHECKING:
    from sluice.runs.decide import Advanced


class World(People):
    """What processes do, what happens in between, and how every run comes to its end."""

    def create(self, number: int, spec: Spec, pipeline: str, late: str, branch: str, trouble: Trouble | None) -> None:
        if len(self.runs) > 3:
            return
        node = self.nodes[number]
        plan = compile_pipeline("azure-pipelines.yml", spec.text(), catalogue=self.catalogue)
        new = NewRun(
            plan=plan,
            project=self.project,
            pipeline=self.pipelines[pipeline],
            source=Source(name="repository", branch=branch),
            requested_by="tester",
        )
        with self._process(node, trouble):
            try:
                create(node.orchestrator, new)
            except SluiceError:
                named = {name for stage in spec.stages for name in stage.named()}
                assert not all(self.reference.thing(name).is_usable for name in named)
        with self.desk.database.read() as transaction:
            known = {run.id for run in self.runs}
            found = [row for number in range(1, len(known) + 2) if (row := run_rows.get(transaction, number))]
        for row in found:
            if row.id not in known:
                self.runs.append(Run(row.id, spec, pipeline, branch, late))

    def contend(self, number: int, spec: Spec, pipeline: str, late: str, branch: str, trouble: Trouble | None) -> None:
        """Two more runs that may do everything, in both processes, want for themselves what the first wants."""
        names = sorted({name for stage in spec.stages for name in stage.named()} | {late})
        for name in names:
            self.configure(name, "lock", add=True)
            for one in PIPELINES:
                self.grant(name, one, Limit())
        for node, of in ((number, pipeline), (1 - number, PIPELINES[len(late) % 2])):
            self.create(node, spec, of, late, branch, None)
        for turn in range(1, 4):
            self.go_on(number, turn)
            self.check_locks()
            self.go_on(1 - number, 1, trouble if turn > 1 else None)
            self.check_locks()

    def advance(self, number: int, run: Run, trouble: Trouble | None) -> None:
        node = self.nodes[number]
        with self._process(node, trouble):
            self._advance(node, run, driven=run.id in node.driving)

    def _advance(self, node: Node, run: Run, *, driven: bool) -> Advanced:
        advanced = node.orchestrator.advance(run.id, driven=driven)
        self.look()
        denied = {(stage, attempt) for one, stage, attempt, *_ in self.reference.denied.values() if one == run.id}
        for job in advanced.ready:
            stage = job.identifier.partition(".")[0]
            attempt = self._stage_attempt(run, stage)
            if run.id in self.reference.canceled or (stage, attempt) in denied:
                assert job.details.get("canceled"), f"{job.identifier} starts although it is not to"
        return advanced

    def drive(self, number: int, run: Run, trouble: Trouble | None) -> None:
        node = self.nodes[number]
        with self._process(node, trouble):
            node.drive(run.id)

    def turn(self, node: Node, run: Run, trouble: Trouble | None = None) -> None:
        """One turn of a driver's loop."""
        with self._process(node, trouble):
            self._turn(node, run, trouble)

    def _turn(self, node: Node, run: Run, trouble: Trouble | None) -> None:
        advanced = self._advance(node, run, driven=True)
        evaluate(node.orchestrator, advanced.evaluate)
        for job in advanced.stop:
            node.jobs[run.id].cancel(job)
        began = node.starter(run.id).start(run.id, [job.id for job in advanced.ready][: node.jobs[run.id].room()])
        if trouble is None:
            self._is_not_stuck(node, run, advanced, began=began)

    def _is_not_stuck(self, node: Node, run: Run, advanced: Advanced, *, began: bool) -> None:
        """A run is over, works, or waits for something that has a name."""
        with self.desk.database.read() as transaction:
            row = self.stored(transaction, run)
            waits = request_rows.of_run(transaction, run.id, state="running")
        if row.state == "completed":
            assert not waits, self._shown(run)
            assert not node.jobs[run.id].running
            return
        active = node.jobs[run.id].running
        assert active or waits or advanced.evaluate or not began, self._shown(run)
        late = [one.resource_name for one in waits if one.expires_at <= self.clock()]
        assert not late, f"{late} timed out\n{self._shown(run)}"

    def work(self, node: Node, job: Active, trouble: Trouble | None = None) -> None:
        with self._process(node, trouble):
            self._work(node, job)

    def _work(self, node: Node, job: Active) -> None:
        run = self._run(job.request.run_id)
        node.jobs[run.id].go_on(job.request.id, run.late)

    def go_on(self, number: int, rounds: int, trouble: Trouble | None = None, which: int | None = None) -> None:
        """Let everything (or one run) go as far as it goes without people, in one process; a kill breaks it off."""
        node = self.nodes[number]
        chosen = self.runs if which is None or not self.runs else [self.runs[which % len(self.runs)]]
        with self._process(node, trouble):
            for _ in range(rounds):
                for run in chosen:
                    node.drive(run.id)
                for mine, run in self.driven():
                    if mine is node and run in chosen:
                        self._turn(node, run, trouble)
                for mine, job in self.active():
                    if mine is node and self._run(job.request.run_id) in chosen:
                        self._work(node, job)

    def process(self, act: str, number: int, choice: int, trouble: Trouble | None) -> None:
        """One thing that a process does by itself."""
        node = self.nodes[number]
        run = self.runs[choice % len(self.runs)] if self.runs else None
        driven, active = self.driven(), self.active()
        if act == "die":
            self.die(node)
        elif act == "look" and run:
            self.advance(number, run, trouble)
        elif act == "drive" and run:
            self.drive(number, run, trouble)
        elif act == "turn" and driven:
            self.turn(*driven[choice % len(driven)], trouble)
        elif act == "leave" and driven:
            self.leave(*driven[choice % len(driven)])
        elif act == "work" and active:
            self.work(*active[choice % len(active)], trouble)

    def leave(self, node: Node, run: Run) -> None:
        if not node.jobs[run.id].running:
            node.leave(run.id)

    def time_passes(self, seconds: float, says: str) -> None:
        """Time passes, and the service that a check asks thinks otherwise."""
        self.clock.late += seconds
        self.gate_says = says

    def meanwhile(self, trouble: Trouble, node: Node) -> None:
        """What somebody else does between two transactions of a process."""
        self.look()
        act, choice = trouble.act, trouble.choice
        name = ("north", "south", "settings")[choice % 3]
        connection = ("north", "south")[choice % 2]
        run = self.runs[choice % len(self.runs)] if self.runs else None
        if act == "wait":
            self.clock.late += (60.0, 8 * 24 * 3600.0)[choice % 2]
        elif act == "revoke":
            self.revoke(name, PIPELINES[choice // 3])
        elif act in {"move", "disable", "describe"}:
            self.edit(name, act)
        elif act == "delete":
            self.delete(connection)
        elif run is None:
            return
        elif act == "advance":
            other = next(one for one in self.nodes if one is not node)
            self._advance(other, run, driven=run.id in other.driving)
        elif act == "cancel":
            self.cancel(run)
        elif act == "permit":
            self.permit(run, choice)
        elif act == "deny":
            self.deny(run, choice)
        elif asked := self.approvals():
            self.approve(*asked[choice % len(asked)], "alice", 0)

    def check_waiting(self) -> None:
        """A run that is known to merely wait, without being read, has nothing to do when it is."""
        desk = self.desk
        with desk.database.write() as transaction:
            found = settled.unfinished(transaction, settled.Moved(), now=self.clock(), after=0, limit=100)
            for run_id in [run_id for run_id, until in found if until is not None]:
                advanced = desk.orchestrator.advance_in(transaction, read(transaction, run_id, steps=False))
                stored = (*advanced.timeline.changed(), *advanced.timeline.added(), *advanced.asked, *advanced.closed)
                to_do = (*stored, *advanced.suites, *advanced.evaluate, *advanced.ready, *advanced.stop)
                assert not to_do, f"{self._shown(self._run(run_id))}\n{to_do}"
            transaction.abandon()

    # the end

    def come_to_an_end(self, *, given: bool) -> None:
        """Everything is `given`, or nobody decides and time passes: every run comes to its end."""
        self.gate_says = "approved" if given else "waiting"
        for _ in range(60):
            self.look()
            if all(self.is_over(run) for run in self.runs):
                break
            if given:
                self._give_everything()
            self.go_on(0, 4)
            self.go_on(1, 4)
            self.clock.late += 120.0 if given else 31 * 24 * 3600.0
        self.compare()
        self._is_whole()

    def _give_everything(self) -> None:
        for name, thing in list(self.reference.things.items()):
            if not thing.there:
                self.restore(name)
                self.create_again(name)
            if not thing.enabled:
                self.edit(name, "enable")
            for pipeline in PIPELINES:
                if self.reference.thing(name).permits.get(pipeline) != Limit():
                    self.grant(name, pipeline, Limit())
        for run in self.runs:
            for who in ("alice", "bob"):
                self.look()
                with contextlib.suppress(SluiceError):
                    for one in self._checks(who).decide(run.id, Verdict.APPROVE):
                        self.reference.approve(one.check.id, who, self.clock(), self.clock())

    def is_over(self, run: Run) -> bool:
        """Whether a run has come to its end."""
        with self.desk.database.read() as transaction:
            row = self.stored(transaction, run)
        return row.state == "completed"

    def _is_whole(self) -> None:
        with self.desk.database.read() as transaction:
            for run in self.runs:
                row = self.stored(transaction, run)
                left = [one for one in records.of_run(transaction, run.id) if not (one.superseded or one.completed)]
                assert row.state == "completed", self._shown(run)
                assert not left, self._shown(run)
                assert not request_rows.of_run(transaction, run.id, state="running"), self._shown(run)
            assert not suites.active(transaction, EXCLUSIVE_LOCK.name)
            assert not suites.active(transaction, APPROVAL.name)
            assert audit.verify(transaction).breaches == ()
