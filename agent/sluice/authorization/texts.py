"""The words of the permission pause, as the product documents them (reference: authorization model, section 4)."""

from __future__ import annotations

PANEL_TITLE = "Waiting for review"
PERMISSION_NEEDED = "Permission needed"
PERMIT_TITLE = "Permit access?"
ABORTED = (
    "Check aborted. This could be because the run was canceled or another check on the stage failed."  # check status
)
STAGE = "stage"
"""What a stage with `trigger: manual` waits for as a resource is called: itself, to be started by a person."""

CHECK = "check"
"""What a check that a run waits for is called as a resource, unless people decide it."""

APPROVAL = "approval"
"""What an approval that a run waits for is called as a resource."""

CHECKS = frozenset({CHECK, APPROVAL})
"""What stands for checks among what a run waits for."""

VALIDATION = "manualvalidation"
"""What the step of an agentless job that waits for a person is called as a resource."""

DELAY = "delay"
"""What the step of an agentless job that waits for a time is called as a resource."""

STEP_WAITS = frozenset({VALIDATION, DELAY})

DISABLED = "it is disabled"
"""What is said of a connection that is waited for until somebody enables it."""

TYPE_LABELS = {
    "endpoint": "Service connection",
    "variablegroup": "Variable group",
    "environment": "Environment",
    "securefile": "Secure file",
    "repository": "Repository",
    "queue": "Agent pool",
    "pipeline": "Pipeline",
    STAGE: "Stage",
    CHECK: "Check",
    VALIDATION: "Manual validation",
    DELAY: "Delay",
    APPROVAL: "Approval",
}
"""How a resource type is called in dialogs."""


def banner(count: int, stage: str = "") -> str:
    """The banner on a run that waits for `count` resources; `stage` is the display name of a named stage."""
    resources = "a resource" if count == 1 else f"{count} resources"
    text = f"This pipeline needs permission to access {resources} before this run can continue"
    return f"{text} to {stage}" if stage else text


def start_banner(stage: str) -> str:
    """The banner on a run whose stage a person has to start; `stage` is its display name."""
    return f"The stage {stage} waits for a person to start it" if stage else "This run waits for a person to start it"


def review_banner(count: int, stage: str = "") -> str:
    """The banner on a run that waits for `count` checks; `stage` is the display name of a named stage."""
    checks = "a check" if count == 1 else f"{count} checks"
    text = f"{checks[0].upper()}{checks[1:]} must pass before this run can continue"
    return f"{text} to {stage}" if stage else text


def step_banner(kind: str, name: str) -> str:
    """The banner on a run whose agentless job waits; `name` is the step's."""
    what = "for a person to respond" if kind == VALIDATION else "until a time has come"
    return f"{TYPE_LABELS[kind]} '{name}' waits {what}"


def permit_question(resource_type: str, name: str) -> str:
    """The text of the dialog that confirms a Permit."""
    label = TYPE_LABELS.get(resource_type, resource_type)
    return f"Granting permission here will permit the use of {label} '{name}' for all waiting and future runs of this pipeline."
