"""A world with short words for what scenes do in it again and again."""

from __future__ import annotations

from tests.agent.runs.model_pipelines import PIPELINES, Job, Run, Spec, Stage, Trouble
from tests.agent.runs.model_world import World
from tests.agent.runs.reference import Limit

from sluice.authorization.checks.approval import Verdict

DAY = 24 * 3600.0
MOST = 24


def spec(*uses: str, behavior: str = "sequential", group: bool = False) -> Spec:
    """A pipeline of one job whose steps use these connections, one after another."""
    return Spec((Stage("A", (Job("J0", uses),), group=group, alone=False),), behavior)


class Scene(World):
    """What is always checked is checked after each turn."""

    def run(
        self,
        *uses: str,
        pipeline: str = "one",
        branch: str = "refs/heads/main",
        late: str = "north",
        behavior: str = "sequential",
        group: bool = False,
    ) -> Run:
        """A new run whose only job uses these connections, in its only stage A."""
        before = len(self.runs)
        self.create(0, spec(*uses, behavior=behavior, group=group), pipeline, late, branch, None)
        assert len(self.runs) == before + 1
        return self.runs[-1]

    def permit_all(self, *names: str) -> None:
        """Both pipelines may use these everywhere."""
        for name in names:
            for pipeline in PIPELINES:
                self.grant(name, pipeline, Limit())

    def turns(self, run: Run, count: int, number: int = 0, trouble: Trouble | None = None) -> None:
        """So many turns of one run in one process."""
        for _ in range(count):
            self.go_on(number, 1, trouble, which=self.runs.index(run))
            self.always()

    def until_opened(self, run: Run, count: int, number: int = 0) -> None:
        """Let a run go on until its steps have opened so many connections."""
        for _ in range(MOST):
            if len(run.opened) >= count:
                return
            self.turns(run, 1, number)
        raise AssertionError(self._shown(run))

    def until_over(self, run: Run, number: int = 0) -> str:
        """Let a run go on to its end, without people and without time; answers its result."""
        for _ in range(MOST):
            if self.is_over(run):
                return self.result(run)
            self.turns(run, 1, number)
        raise AssertionError(self._shown(run))

    def stays(self, run: Run, number: int = 0) -> None:
        """However often somebody looks, the run opens nothing and comes to no end."""
        opened, started = list(run.opened), set(run.started)
        self.turns(run, 4, number)
        assert (run.opened, run.started) == (opened, started), self._shown(run)
        assert not self.is_over(run), self._shown(run)

    def result(self, run: Run) -> str:
        """The result of a run that is over."""
        with self.desk.database.read() as transaction:
            return self.stored(transaction, run).result

    def approve_all(self, run: Run, who: str = "alice", later: int = 0) -> None:
        """Somebody tries to approve whatever the run ever asked."""
        self.look()
        for run_id, check in self.approvals():
            if run_id == run.id:
                self.approve(run_id, check, who, later)
        self.always()

    def approve_at_once(self, run: Run, who: str) -> None:
        """Somebody approves all that waits for them, in one decision."""
        self.look()
        for one in self._checks(who).decide(run.id, Verdict.APPROVE):
            self.reference.approve(one.check.id, who, self.clock(), self.clock())
        self.always()

    def always(self) -> None:
        """What always holds."""
        self.compare()
        self.check_locks()
        self.check_waiting()
