"""What the status functions of conditions ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Protocol

from sluice.language.expressions.phase import Phase
from sluice.values import dataclass

_GOOD = frozenset({"succeeded", "succeededwithissues"})


class Status(Protocol):
    """How it went so far; without `names` everything before counts, with them only those (ignoring case)."""

    @property
    def phase(self) -> Phase: ...

    @property
    def canceled(self) -> bool: ...

    def failed(self, names: Sequence[str]) -> bool: ...

    def succeeded(self, names: Sequence[str]) -> bool: ...

    def succeeded_or_failed(self, names: Sequence[str]) -> bool: ...


@dataclass(frozen=True, slots=True)
class StepStatus:
    """The state of the job that a step stands in: `Agent.JobStatus`, None when it is not set yet."""

    job_status: str | None = None

    @property
    def phase(self) -> Phase:
        return Phase.STEP_CONDITION

    @property
    def _status(self) -> str:
        return (self.job_status or "Succeeded").lower()

    @property
    def canceled(self) -> bool:
        return self._status == "canceled"

    def failed(self, names: Sequence[str] = ()) -> bool:
        return self._status == "failed"

    def succeeded(self, names: Sequence[str] = ()) -> bool:
        return self._status in _GOOD

    def succeeded_or_failed(self, names: Sequence[str] = ()) -> bool:
        return self.succeeded(names) or self.failed(names)


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyStatus:
    """The results of all direct and indirect dependencies of a job or stage, and whether the run is canceled.

    `phase` is CONDITION for a job, STAGE_CONDITION for a stage. A name that is no dependency has neither succeeded nor
    failed.
    """

    results: Mapping[str, str] = field(default_factory=dict)
    canceled: bool = False
    phase: Phase = Phase.CONDITION

    def _asked(self, names: Sequence[str]) -> list[str]:
        results = {name.lower(): result.lower() for name, result in self.results.items()}
        return [results.get(name.lower(), "") for name in names] if names else list(results.values())

    def failed(self, names: Sequence[str] = ()) -> bool:
        return "failed" in self._asked(names)

    def succeeded(self, names: Sequence[str] = ()) -> bool:
        return not self.canceled and all(result in _GOOD for result in self._asked(names))

    def succeeded_or_failed(self, names: Sequence[str] = ()) -> bool:
        return not self.canceled
