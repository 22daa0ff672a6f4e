"""The phases in which expressions are evaluated, and what each of them may name."""

from __future__ import annotations

import enum

_RUNTIME_NAMES = frozenset({"variables", "dependencies", "stagedependencies", "pipeline"})


class Phase(enum.Enum):
    """Where an expression stands."""

    TEMPLATE = "template"
    """`${{ }}`: evaluated while the pipeline is compiled."""
    RUNTIME = "runtime"
    """`$[ ]`: the whole value of a variable, or a field of a job."""
    CONDITION = "condition"
    """The condition of a job."""
    STAGE_CONDITION = "stage condition"
    STEP_CONDITION = "step condition"
    SUCCESS_CRITERIA = "success criteria"
    """What a check wants of the answer of a service."""

    @property
    def names(self) -> frozenset[str]:
        """The named values, in lower case."""
        return _NAMES[self]


_NAMES = {
    Phase.TEMPLATE: frozenset({"parameters", "variables"}),
    Phase.RUNTIME: _RUNTIME_NAMES,
    Phase.CONDITION: _RUNTIME_NAMES,
    Phase.STAGE_CONDITION: _RUNTIME_NAMES - {"stagedependencies"},
    Phase.STEP_CONDITION: frozenset({"variables"}),
    Phase.SUCCESS_CRITERIA: frozenset({"root"}),
}
