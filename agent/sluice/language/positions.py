"""Where templates may be included and variables defined: the part of the schema that expansion has to know."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from sluice.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """A place in the tree.

    `keys` are the positions below a mapping, `item` that of the items of a list. `include` is the key that holds the
    body of a template included here. `scoped` places have variables of their own; in `defining` ones they are written.
    """

    keys: Mapping[str, Position] = field(default_factory=dict)
    item: Position | None = None
    include: str = ""
    scoped: bool = False
    defining: bool = False
    refusing: str = ""


ANYWHERE = Position()
STEPS = Position(item=ANYWHERE, include="steps")
VARIABLES = Position(item=ANYWHERE, include="variables", defining=True)
_HOOK = Position(keys={"steps": STEPS})
_HOOKS = Position(
    keys={
        **dict.fromkeys(("preDeploy", "deploy", "routeTraffic", "postRouteTraffic"), _HOOK),
        "on": Position(keys={"failure": _HOOK, "success": _HOOK}),
    }
)
_STRATEGY = Position(keys=dict.fromkeys(("runOnce", "rolling", "canary"), _HOOKS))
JOB = Position(keys={"variables": VARIABLES, "steps": STEPS, "strategy": _STRATEGY}, scoped=True)
JOBS = Position(item=JOB, include="jobs")
STAGE = Position(keys={"variables": VARIABLES, "jobs": JOBS}, scoped=True)
STAGES = Position(item=STAGE, include="stages")
_TRIGGER = Position(refusing="triggers are read before anything is expanded: '${{ }}' cannot be used")
ROOT = Position(
    keys={
        "variables": VARIABLES,
        "stages": STAGES,
        "jobs": JOBS,
        "steps": STEPS,
        "strategy": _STRATEGY,
        "trigger": _TRIGGER,
        "pr": _TRIGGER,
        "schedules": _TRIGGER,
    }
)
BODIES = {"stages": STAGES, "jobs": JOBS, "steps": STEPS, "variables": VARIABLES}
