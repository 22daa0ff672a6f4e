"""What is lawful, said once more and much simpler than Sluice does: a reference that the real stores are held against.

It knows what people were told that it is stored, and of every checkpoint what it asked when it began. It reads nothing
but that: whether something may be used follows from what people decided, not from what Sluice concluded.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

ENDPOINT = "endpoint"
GROUP = "variablegroup"
TASK = "Deliver@1"


@dataclass(frozen=True)
class Limit:
    """Where a permit holds; '' does not limit."""

    stage: str = ""
    branch: str = ""
    task: str = ""

    def allows(self, stage: str, branch: str, task: str) -> bool:
        wanted = ((self.stage, stage), (self.branch, branch), (self.task, task))
        return all(limit in {"", value} for limit, value in wanted)


@dataclass
class Thing:
    """A service connection or a variable group; `place` counts where it leads, `permits` are by pipeline."""

    kind: str
    name: str
    id: str
    place: int = 0
    there: bool = True
    enabled: bool = True
    described: str = ""
    permits: dict[str, Limit] = field(default_factory=dict)
    checks: dict[int, str] = field(default_factory=dict)
    rules: dict[int, Rule] = field(default_factory=dict)
    aside: dict[str, Limit] = field(default_factory=dict)

    def is_permitted(self, pipeline: str, stage: str, branch: str, task: str) -> bool:
        permit = self.permits.get(pipeline)
        return self.is_usable and permit is not None and permit.allows(stage, branch, task)

    @property
    def is_usable(self) -> bool:
        return self.there and self.enabled

    def move(self) -> None:
        """It leads elsewhere: nobody has permitted that."""
        self.place += 1
        self.permits = {}

    def delete(self) -> None:
        self.there, self.aside, self.permits = False, self.permits, {}

    def restore(self) -> None:
        self.there, self.permits, self.aside = True, self.aside, {}


@dataclass(frozen=True)
class Rule:
    """What an approval asks for: so many of these people, in turn or as they come. The requester is none of them."""

    approvers: tuple[str, ...] = ()
    needed: int = 0
    in_turn: bool = False


@dataclass(frozen=True)
class Asked:
    """A check of a checkpoint, as it was when the checkpoint began."""

    id: str
    kind: str
    thing: str
    rule: Rule = Rule()


@dataclass(frozen=True)
class Checkpoint:
    """What a stage's attempt (or one of its jobs) came to: where what it is about led then, and what was asked."""

    run: int
    stage: str
    attempt: int
    job: str
    places: Mapping[str, int]
    asked: tuple[Asked, ...]


@dataclass
class Reference:
    """All that people decided, and the checkpoints that there were."""

    things: dict[str, Thing]
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    approvals: dict[str, dict[str, float]] = field(default_factory=dict)
    rejected: set[str] = field(default_factory=set)
    bypassed: set[str] = field(default_factory=set)
    passed_gates: set[tuple[int, str, int, str, int]] = field(default_factory=set)
    canceled: set[int] = field(default_factory=set)
    denied: dict[int, tuple[int, str, int, str, str]] = field(default_factory=dict)
    attempts: dict[int, int] = field(default_factory=dict)
    asked: dict[tuple[int, int], int] = field(default_factory=dict)

    def thing(self, name: str) -> Thing:
        return self.things[name]

    def by_id(self, resource_id: str) -> Thing:
        return next(one for one in self.things.values() if one.id == resource_id)

    def find(self, resource_id: str) -> Thing | None:
        """A thing by its id, if it is one that there is now."""
        return next((one for one in self.things.values() if one.id == resource_id), None)

    def rule(self, configuration: int) -> Rule:
        """What a check asks of people, by its number."""
        return next(rules[configuration] for one in self.things.values() if configuration in (rules := one.rules))

    def objection(
        self,
        name: str,
        *,
        run: int,
        pipeline: str,
        branch: str,
        stage: str,
        attempt: int,
        job: str,
        task: str,
        now: float,
    ) -> str:
        """Why that use is unlawful now; '' when it is lawful."""
        thing = self.thing(name)
        if branch.startswith("refs/pull/"):
            return f"{name} lets in no run of a pull request"
        if not thing.is_permitted(pipeline, stage, branch, task):
            return f"{name} is not permitted: {thing}"
        for denied_run, denied_stage, denied_attempt, denied_job, resource in self.denied.values():
            if (denied_run, denied_stage, denied_attempt, resource) == (run, stage, attempt, thing.id) and (
                denied_job in {"", job}
            ):
                return f"{name} was denied to stage {stage} of run {run}"
        return self.unchecked(thing, run=run, stage=stage, attempt=attempt, job=job, now=now)

    def unchecked(self, thing: Thing, *, run: int, stage: str, attempt: int, job: str, now: float) -> str:
        """Why the checks of a thing have not passed for that attempt; '' when they have, or there are none."""
        about = [
            one
            for one in self.checkpoints.values()
            if (one.run, one.stage, one.attempt) == (run, stage, attempt)
            and one.job in {"", job}
            and one.places.get(thing.id) == thing.place
        ]
        if not thing.checks or any(self.has_passed(one, now) for one in about):
            return ""
        return f"the checks of {thing.name} have not passed: {about}"

    def approve(self, check: str, who: str, at: float, now: float) -> None:
        """An approval was acknowledged, which counts from a moment on: it has to be one that could be given."""
        rule = next(asked.rule for one in self.checkpoints.values() for asked in one.asked if asked.id == check)
        given = self.approvals.setdefault(check, {})
        assert who in rule.approvers, f"{who} is no approver: {rule}"
        assert who not in given, f"{who} has approved before"
        assert check not in self.rejected, "it was rejected"
        if rule.in_turn:
            before = rule.approvers[: rule.approvers.index(who)]
            assert all(given.get(one, now + 1) <= now for one in before), f"it is not the turn of {who}: {given}"
        given[who] = at

    def has_passed(self, one: Checkpoint, now: float) -> bool:
        return all(self._passed(one, asked, now) for asked in one.asked)

    def _passed(self, one: Checkpoint, asked: Asked, now: float) -> bool:
        if asked.id in self.bypassed:
            return True
        if asked.id in self.rejected:
            return False
        if asked.kind == "approval":
            given = self.approvals.get(asked.id, {})
            return sum(given.get(who, now + 1) <= now for who in asked.rule.approvers) >= asked.rule.needed
        if asked.kind == "gate":
            return (one.run, one.stage, one.attempt, asked.thing, one.places[asked.thing]) in self.passed_gates
        return True  # who has a lock is seen by who runs


def kinds_of(asked: Iterable[Asked]) -> dict[str, list[str]]:
    """The kinds of checks by what they are on, sorted."""
    found: dict[str, list[str]] = {}
    for one in asked:
        found.setdefault(one.thing, []).append(one.kind)
    return {thing: sorted(kinds) for thing, kinds in found.items()}
