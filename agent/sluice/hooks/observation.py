"""What observers of runs are told."""

from __future__ import annotations

from typing import Literal

from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """A change in a run that has been stored.

    `kind` is the timeline record's type (`Run` for the run itself), `path` its dotted name such as
    `Build.Linux.Compile`, `state` and `result` as in timeline records, `at` seconds since the epoch.
    """

    run: int
    pipeline: str
    kind: Literal["Run", "Stage", "Checkpoint", "Job", "Task"]
    path: str
    state: str
    result: str = ""
    message: str = ""
    at: float = 0.0
