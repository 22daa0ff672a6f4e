"""What the model-based test runs: small pipelines of two stages, and what may come in between."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.agent.runs.reference import TASK

PIPELINES = ("one", "two")
MEANWHILE = (
    "advance",
    "revoke",
    "move",
    "disable",
    "describe",
    "delete",
    "cancel",
    "permit",
    "deny",
    "approve",
    "wait",
)


@dataclass(frozen=True)
class Trouble:
    """At the so-manieth point of a process's writing something happens: a kill, or what somebody else does."""

    at: int
    act: str
    choice: int = 0


@dataclass(frozen=True)
class Job:
    name: str
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    name: str
    jobs: tuple[Job, ...]
    group: bool
    alone: bool

    def named(self) -> set[str]:
        """What the stage names before it runs."""
        found = {use for job in self.jobs for use in job.uses if use != "$(late)"}
        return found | ({"settings"} if self.group else set())


@dataclass(frozen=True)
class Spec:
    stages: tuple[Stage, ...]
    behavior: str

    def text(self) -> str:
        lines = [f"lockBehavior: {self.behavior}"] if self.behavior else []
        lines.append("stages:")
        for stage in self.stages:
            lines.append(f"- stage: {stage.name}")
            lines += ["  dependsOn: []"] if stage.alone else []
            lines += ["  variables: [{group: settings}]"] if stage.group else []
            lines.append("  jobs:")
            for job in stage.jobs:
                uses = "".join(f", {{task: {TASK}, inputs: {{to: {name}}}}}" for name in job.uses)
                lines.append(f"  - {{job: {job.name}, steps: [{{checkout: none}}{uses}]}}")
        return "\n".join(lines)

    def stage(self, name: str) -> Stage:
        return next(one for one in self.stages if one.name == name)


@dataclass
class Run:
    id: int
    spec: Spec
    pipeline: str
    branch: str
    late: str
    started: set[tuple[str, int]] = field(default_factory=set)
    opened: list[str] = field(default_factory=list)
    over: bool = False
