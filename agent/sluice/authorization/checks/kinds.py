"""The kinds of checks there are: those that Sluice itself decides, and those that plugins offer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sluice.errors import NotFoundError, PluginError
from sluice.hooks.checks import MAX_MINUTES, CheckRun, CheckType, Decision
from sluice.hooks.declaration import Field

ANY_ORDER = "anyOrder"
IN_SEQUENCE = "inSequence"


def _ask_people(run: CheckRun) -> Decision:
    people = ", ".join(one.strip() for one in run.setting("approvers").split(",") if one.strip())
    return Decision.waiting(f"the approval of {people}")


def _queue_up(run: CheckRun) -> Decision:
    return Decision.waiting(f"its turn to use '{run.resource.name}'")


APPROVAL = CheckType(
    "approval",
    "Approval",
    _ask_people,
    summary="Named people or groups look at the run and approve or reject.",
    type_id="8c6f20a7-a545-4486-9777-f762fafe0d4d",
    type_name="Approval",
    definition_id="26014962-64a0-49f4-885b-4b874119a5cc",
    fields=(
        Field("approvers", "Approvers", required=True, help="Users and groups, separated by commas."),
        Field(
            "executionOrder",
            "Order",
            kind="choice",
            choices=(ANY_ORDER, IN_SEQUENCE),
            default=ANY_ORDER,
            help="Whether all are asked at once, or one after the other.",
        ),
        Field(
            "minRequiredApprovers",
            "Minimum number of approvers",
            kind="number",
            default="0",
            validation="[0-9]{1,4}",
            validation_message="a whole number; 0 means all of them",
        ),
        Field("requesterCannotBeApprover", "Requester may not approve", kind="boolean", default="false"),
        Field("blockedApprovers", "People who may not approve", help="Users, separated by commas."),
        Field("instructions", "Instructions to approvers", kind="multiline"),
        Field(
            "when",
            "When they are asked",
            kind="choice",
            choices=("main", "preChecks", "postChecks"),
            default="main",
            help="Along with the dynamic checks, before them, or after them.",
        ),
    ),
    timeout=MAX_MINUTES,
    max_timeout=MAX_MINUTES,
    final=True,
    on_timeout="skipped",
    bypassable=True,
    record_type="Checkpoint.Approval",
)

EXCLUSIVE_LOCK = CheckType(
    "exclusive-lock",
    "Exclusive lock",
    _queue_up,
    summary="Only one stage uses the resource at a time.",
    type_id="2ef31ad6-baa0-403a-8b45-2cbc9b4e5563",
    type_name="ExclusiveLock",
    category="final",
    timeout=MAX_MINUTES,
    max_timeout=MAX_MINUTES,
    on_timeout="skipped",
    record_type="Checkpoint.ExclusiveLock",
)

CORE: tuple[CheckType, ...] = (APPROVAL, EXCLUSIVE_LOCK)
"""Kinds that need what only Sluice itself knows."""


class Kinds:
    """All kinds of checks by name; `offered` are those of the plugins."""

    def __init__(self, offered: Mapping[str, CheckType]) -> None:
        self._by_name = {kind.name: kind for kind in CORE}
        for kind in offered.values():
            if kind.name in self._by_name:
                raise PluginError(f"the kind of check '{kind.name}' is Sluice's own; a plugin offers it too")
            self._by_name[kind.name] = kind

    def __iter__(self) -> Iterator[CheckType]:
        return iter(self._by_name.values())

    def find(self, name: str) -> CheckType | None:
        """The kind of that name, None where no loaded plugin offers it (any more)."""
        return self._by_name.get(name.casefold())

    def get(self, name: str) -> CheckType:
        """The kind of that name; raises `NotFoundError` that lists what there is."""
        if kind := self.find(name):
            return kind
        raise NotFoundError(f"there is no kind of check '{name}'", do=f"there are: {', '.join(sorted(self._by_name))}")
