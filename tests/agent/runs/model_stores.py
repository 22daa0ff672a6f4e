"""The stores that the model-based test works on, in three processes, and what the reference is told of them."""

from __future__ import annotations

import abc
import contextlib
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING

from tests.agent.runs.conftest import DELIVER, Clock
from tests.agent.runs.model_pipelines import PIPELINES, Run, Trouble
from tests.agent.runs.nodes import Active, Jobs, Killed, Node
from tests.agent.runs.reference import ENDPOINT, GROUP, TASK, Asked, Checkpoint, Limit, Reference, Thing, kinds_of

from sluice.authorization.checks.lock import places
from sluice.authorization.checks.model import State
from sluice.authorization.limits import Limits
from sluice.connections.connection import Draft
from sluice.errors import SluiceError
from sluice.hooks.checks import CheckRun, CheckType, Decision
from sluice.language.tasks import TaskCatalogue
from sluice.library.group import GroupDraft
from sluice.runs import suites
from sluice.secret import Secret
from sluice.storage import connections, groups, people, permissions, pipelines, projects, records
from sluice.storage import requests as request_rows
from sluice.storage import runs as run_rows
from sluice.storage.home import Home

if TYPE_CHECKING:
    from pathlib import Path

    from sluice.authorization.checks.model import Check, Suite
    from sluice.hooks.connection import Connection
    from sluice.runtime.request import JobRequest
    from sluice.storage.engine import Transaction
    from sluice.storage.runs import RunRow

BEGAN = 1_800_000_000.0
SECRET = "hidden-0815"


class Stores(abc.ABC):
    """Two processes that drive runs, a third in which people decide, and what the reference knows of it all."""

    _numbers = count()

    def __init__(self, folder: Path) -> None:
        self.clock = Clock(now=BEGAN)
        self.gate_says = "approved"
        self.when_asked: Callable[[], object] = lambda: None
        self.gate = CheckType("gate", "Gate", self._evaluate, retry_interval=1, timeout=600, bypassable=True)
        self.catalogue = TaskCatalogue([DELIVER])
        template = folder / "template"
        if fresh := not template.exists():
            self._make(template)
        self.folder = folder / f"example-{next(self._numbers)}"
        shutil.copytree(template, self.folder)
        assert fresh or self.folder.exists()
        self.nodes = [self._node(), self._node()]
        self.desk = self._node()
        self.runs: list[Run] = []
        with self.desk.database.read() as transaction:
            self.project = projects.find(transaction, "default")
            self.pipelines = {one.name: one for one in pipelines.listed(transaction, self.project.id)}
        found = {one.name: Thing(ENDPOINT, one.name, one.id) for one in self.desk.store.list("default")}
        found["settings"] = Thing(GROUP, "settings", self.desk.orchestrator.groups.get("default", "settings").id)
        self.reference = Reference(found)

    def _node(self, folder: Path | None = None) -> Node:
        home = Home((folder or self.folder) / "home")
        return Node(home, self.catalogue, self.clock, self.gate, lambda: Jobs(self._job_started, self._opened))

    def _make(self, folder: Path) -> None:
        """A state folder with what every example begins with."""
        node = self._node(folder)
        for name in ("north", "south"):
            node.store.create("default", draft_of(name, 0), by="tester")
        group = GroupDraft(name="settings", secrets={"hidden": Secret(SECRET)})
        node.orchestrator.groups.create("default", group, by="tester")
        with node.database.write() as transaction:
            for person in ("tester", "alice", "bob"):
                people.create(transaction, person, by="tester", at=BEGAN)
            crew = groups.create(transaction, None, "crew", by="tester", at=BEGAN)
            for person in ("alice", "bob"):
                member = people.find(transaction, person)
                assert member is not None
                groups.add_member(transaction, crew, member, by="tester", at=BEGAN)
                crew = groups.get(transaction, projects.find(transaction, "default"), "crew")
            project = projects.find(transaction, "default")
            for name in PIPELINES:
                pipelines.ensure(transaction, project, name=name, source=f"/{name}.yml", by="tester", at=BEGAN)
        node.stop()

    def close(self) -> None:
        for node in (*self.nodes, self.desk):
            node.stop()
        shutil.rmtree(self.folder)

    # trouble

    def _arm(self, node: Node, trouble: Trouble | None) -> None:
        if trouble is None:
            return
        left = trouble.at
        stored = False

        def at(point: str) -> None:
            nonlocal left, stored
            stored = point in {"stored", "over"}
            if trouble.act != "kill" and point != "begin":
                return
            left -= 1
            if left == 0:
                node.database.at = lambda _: None
                if trouble.act == "kill":
                    raise Killed(stored=stored)
                self.meanwhile(trouble, node)

        node.database.at = at

    @abc.abstractmethod
    def meanwhile(self, trouble: Trouble, node: Node) -> None:
        """What somebody else does between two transactions of a process."""

    @contextlib.contextmanager
    def _process(self, node: Node, trouble: Trouble | None) -> Iterator[None]:
        """What a process does; it may be killed by that, and what it refuses changes nothing."""
        self._arm(node, trouble)
        try:
            yield
        except Killed:
            self.look()
            self.die(node)
        finally:
            node.database.at = lambda _: None
            self.look()

    def _person(self, act: Callable[[], object], then: Callable[[], None], trouble: Trouble | None) -> bool:
        """What a person does: the reference learns of it once it was acknowledged, or stored before a kill.

        Whether it was not refused.
        """
        self._arm(self.desk, trouble)
        try:
            act()
        except Killed as killed:
            self.die(self.desk)
            if killed.stored:
                then()
        except SluiceError:
            return False
        else:
            then()
        finally:
            self.desk.database.at = lambda _: None
        return True

    def die(self, node: Node) -> None:
        node.die()

    def driven(self) -> list[tuple[Node, Run]]:
        return [(node, run) for node in self.nodes for run in self.runs if run.id in node.driving]

    def active(self) -> list[tuple[Node, Active]]:
        return [(node, job) for node in self.nodes for jobs in node.jobs.values() for job in jobs.running.values()]

    def stored(self, transaction: Transaction, run: Run) -> RunRow:
        """A run as it is stored."""
        row = run_rows.get(transaction, run.id)
        assert row is not None
        return row

    def _run(self, run_id: int) -> Run:
        return next(run for run in self.runs if run.id == run_id)

    def _protected(self, thing: Thing) -> permissions.Resource:
        return permissions.Resource(self.project.id, thing.id, thing.kind)

    def _shown(self, run: Run) -> str:
        """A run as it is, for whoever reads why it should not be so."""
        with self.desk.database.read() as transaction:
            rows = records.of_run(transaction, run.id)
            asked = request_rows.of_run(transaction, run.id)
            found = suites.of_run(transaction, run.id)
        lines = [f"run {run.id} at {self.clock() - BEGAN:g}"]
        lines += [f"  {one.type} {one.identifier} {one.attempt} {one.state} {one.result} {one.message}" for one in rows]
        lines += [
            f"  asks {one.stage} {one.resource_type} {one.resource_name} {one.job_id} {one.state}" for one in asked
        ]
        lines += [
            f"  {one.stage} {one.attempt} {one.job_id} {one.state} {one.replaced} {one.released_at}: "
            + ", ".join(f"{check.kind} on {check.resource.name} {check.state} {check.message}" for check in one.checks)
            for one in found
        ]
        return "\n".join(lines)

    # what is seen

    def look(self) -> None:
        """Take note of checkpoints that have begun, and check that what has started was allowed to."""
        with self.desk.database.read() as transaction:
            for run in self.runs:
                self._look_at(transaction, run)

    def _look_at(self, transaction: Transaction, run: Run) -> None:
        for asked in request_rows.of_run(transaction, run.id, state="running"):
            if thing := self.reference.find(asked.resource_id):
                self.reference.asked.setdefault((asked.id, asked.resource_version), thing.place)
        for suite in suites.of_run(transaction, run.id):
            if suite.id not in self.reference.checkpoints:
                self._begun(suite)
        for stage in records.of_run(transaction, run.id, kinds=("Stage",)):
            key = (stage.identifier, stage.attempt)
            if stage.superseded or stage.started_at is None or key in run.started:
                continue
            run.started.add(key)
            for name in run.spec.stage(stage.identifier).named():
                self._lawful(run, name, stage.identifier, stage.attempt, "")

    def _begun(self, suite: Suite) -> None:
        things = {one.id: self.reference.by_id(one.id) for one in suite.resources}
        asked = tuple(
            Asked(check.id, check.kind, check.resource.id, self.reference.rule(check.configuration_id))
            for check in suite.checks
        )
        assert kinds_of(asked) == {one.id: sorted(one.checks.values()) for one in things.values() if one.checks}
        self.reference.checkpoints[suite.id] = Checkpoint(
            suite.run_id,
            suite.stage,
            suite.attempt,
            suite.job_id,
            {one.id: one.place for one in things.values()},
            asked,
        )

    def _lawful(self, run: Run, name: str, stage: str, attempt: int, job: str) -> None:
        objection = self.reference.objection(
            name,
            run=run.id,
            pipeline=run.pipeline,
            branch=run.branch,
            stage=stage,
            attempt=attempt,
            job=job,
            task="" if name == "settings" else TASK,
            now=self.clock(),
        )
        assert not objection, f"run {run.id}, stage {stage} attempt {attempt}: {objection}"

    def _stage_attempt(self, run: Run, stage: str) -> int:
        with self.desk.database.read() as transaction:
            found = records.of_run(transaction, run.id, kinds=("Stage",))
        return max(one.attempt for one in found if one.identifier == stage)

    def _job_started(self, job: Active) -> None:
        """A job that starts anew was given its variable groups: that has to be lawful now."""
        run = self._run(job.request.run_id)
        stage = job.request.identifier.partition(".")[0]
        attempt = self._stage_attempt(run, stage)
        assert (stage, attempt) in run.started
        key = (run.id, job.request.id)
        same = [one for _, one in self.active() if (one.request.run_id, one.request.id) == key]
        assert same == [job], "a job runs twice"
        self.check_locks()
        values = [one.value.reveal() for one in job.request.variables if isinstance(one.value, Secret)]
        if SECRET in values and job.request.progress is None:
            self._lawful(run, "settings", stage, attempt, job.request.id)

    def _opened(self, request: JobRequest, connection: Connection) -> None:
        """A step was given a connection: that has to be lawful at this moment."""
        run = self._run(request.run_id)
        stage = request.identifier.partition(".")[0]
        run.opened.append(connection.name)
        self.check_locks()
        thing = self.reference.thing(connection.name)
        assert connection.id == thing.id
        assert connection.url.rstrip("/") == url_of(thing.name, thing.place)
        self._lawful(run, thing.name, stage, self._stage_attempt(run, stage), request.id)

    def _evaluate(self, run: CheckRun) -> Decision:
        facts = run.facts
        self.when_asked()
        if self.gate_says == "approved":
            about = [
                one
                for one in self.reference.checkpoints.values()
                if (one.run, one.stage, one.attempt) == (facts.run_id, facts.stage, facts.attempt)
                and run.resource.id in one.places
            ]
            place = about[-1].places[run.resource.id]
            self.reference.passed_gates.add((facts.run_id, facts.stage, facts.attempt, run.resource.id, place))
        return {
            "approved": Decision.approved(),
            "rejected": Decision.rejected("no"),
            "waiting": Decision.waiting("not yet"),
            "error": Decision.error("?"),
        }[self.gate_says]

    # what always holds

    def compare(self) -> None:
        """What was acknowledged is stored, and nothing else."""
        with self.desk.database.read() as transaction:
            for thing in self.reference.things.values():
                self._compare_thing(transaction, thing)
            for run in self.runs:
                row = self.stored(transaction, run)
                assert bool(row.cancel_requested_by) == (run.id in self.reference.canceled)
            states = {one.id: one.state for run in self.runs for one in request_rows.of_run(transaction, run.id)}
            assert {states[number] for number in self.reference.denied} <= {"rejected"}
            checks = {check.id: check for run in self.runs for check in _checks_of(transaction, run)}
        for check_id, given in self.reference.approvals.items():
            assert given.keys() <= {step.actual for step in checks[check_id].steps}
        assert all(checks[one].state is State.REJECTED for one in self.reference.rejected)
        assert all(checks[one].state is State.BYPASSED for one in self.reference.bypassed)

    def _compare_thing(self, transaction: Transaction, thing: Thing) -> None:
        standing = permissions.of_resource(transaction, self._protected(thing))
        numbers = {known.id: name for name, known in self.pipelines.items()}
        stored = {numbers[one.pipeline_id]: _limit(one.limits) for one in standing}
        assert stored == thing.permits, thing
        if thing.kind == GROUP:
            return
        row = connections.by_id(transaction, self.project.id, thing.id)
        assert (row is not None) == thing.there
        if row is not None:
            about = (row.disabled, row.description, row.url.rstrip("/"))
            assert about == (not thing.enabled, thing.described, url_of(thing.name, thing.place))

    def check_locks(self) -> None:
        """No two stages work with a resource that is used alone."""
        using: dict[tuple[str, str], set[tuple[int, str]]] = {}
        with self.desk.database.read() as transaction:
            for _, job in self.active():
                stage = job.request.identifier.partition(".")[0]
                for suite in suites.of_run(transaction, job.request.run_id):
                    if suite.stage == stage and suite.state is State.APPROVED and self._is_current(suite):
                        for place in places(suite):
                            using.setdefault(place, set()).add((suite.run_id, stage))
        assert all(len(stages) == 1 for stages in using.values()), f"a lock is used by several: {using}"

    def _is_current(self, suite: Suite) -> bool:
        return suite.attempt == self._stage_attempt(self._run(suite.run_id), suite.stage)


def draft_of(name: str, place: int) -> Draft:
    return Draft(
        name=name, type="Depot", scheme="Token", url=url_of(name, place), secrets={"apitoken": Secret("token-1")}
    )


def url_of(name: str, place: int) -> str:
    return f"https://{name}-{place}.invalid"


def _limit(text: str) -> Limit:
    limits = Limits.parse(text)
    return Limit(*("".join(values) for values in (limits.stages, limits.branches, limits.tasks)))


def _checks_of(transaction: Transaction, run: Run) -> list[Check]:
    return [check for suite in suites.of_run(transaction, run.id) for check in suite.checks]
