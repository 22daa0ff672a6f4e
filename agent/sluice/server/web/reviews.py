"""What a run waits for, as the panel "Waiting for review" shows it: each with what the person may do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

from sluice.authorization import texts
from sluice.authorization.checks import approval
from sluice.connections import lookup
from sluice.errors import NotPermittedError, SluiceError
from sluice.rights import Right
from sluice.runs import suites
from sluice.runs.pipelines import require_queue
from sluice.server.web import words
from sluice.storage.permissions import Resource
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.authorization.checks.model import Check
    from sluice.server.caller import Caller
    from sluice.storage.engine import Transaction
    from sluice.storage.requests import RequestRow
    from sluice.storage.runs import RunRow

Kind = Literal["permit", "start", "approve", "validate", "check", "delay", "disabled"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One approver's part of an approval."""

    approver: str
    look: words.Look
    actual: str
    comment: str
    at: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """One thing that a run waits for. `refusal` says why the person may not decide it; None when they may."""

    request: RequestRow
    kind: Kind
    label: str
    name: str
    stage: str
    told: str = ""
    facts: tuple[str, ...] = ()
    refusal: SluiceError | None = None
    instructions: str = ""
    parts: tuple[Part, ...] = ()
    bypassable: bool = False
    caution: str = ""

    @property
    def question(self) -> str:
        """The text of the dialog that confirms a Permit."""
        return texts.permit_question(self.request.resource_type, self.name)


@dataclass(frozen=True, slots=True)
class Banner:
    """A sentence on a run that waits, and whether a person can do something about it."""

    text: str
    urgent: bool


def reviews(
    transaction: Transaction, caller: Caller, run: RunRow, requests: Sequence[RequestRow], stages: Mapping[str, str]
) -> list[Review]:
    """All that a run waits for; `stages` are the display names of its stages."""
    checks = {check.id: check for one in suites.of_run(transaction, run.id) for check in one.checks}
    return [
        _review(transaction, caller, run, request, stages.get(request.stage, ""), checks.get(request.resource_id))
        for request in requests
    ]


def banners(found: Sequence[Review]) -> list[Banner]:
    """The banners of a run: one for each stage and what it waits for, in the documented words."""
    return list(_banners(found))


def _banners(found: Sequence[Review]) -> Iterator[Banner]:
    by_stage: dict[str, list[Review]] = {}
    for one in found:
        by_stage.setdefault(one.stage, []).append(one)
    for stage, those in by_stage.items():
        if permits := [one for one in those if one.kind in {"permit", "disabled"}]:
            yield Banner(texts.banner(len(permits), stage), urgent=True)
        if checks := [one for one in those if one.kind in {"approve", "check"}]:
            people = any(one.kind == "approve" for one in checks)
            yield Banner(texts.review_banner(len(checks), stage), urgent=people)
        for one in those:
            if one.kind == "start":
                yield Banner(texts.start_banner(stage), urgent=True)
            elif one.kind in {"validate", "delay"}:
                yield Banner(texts.step_banner(one.request.resource_type, one.name), urgent=one.kind == "validate")


def stage_words(found: Sequence[Review]) -> dict[str, str]:
    """What stands on a stage that waits, by the stage's name."""
    waits: dict[str, list[Kind]] = {}
    for one in found:
        waits.setdefault(one.request.stage, []).append(one.kind)
    return {stage: _on_stage(kinds) for stage, kinds in waits.items()}


def _on_stage(kinds: Sequence[Kind]) -> str:
    permits = sum(kind in {"permit", "disabled"} for kind in kinds)
    if permits:
        return texts.PERMISSION_NEEDED if permits == 1 else "Permissions needed"
    for kind, text in (
        ("start", "Not started"),
        ("approve", "Waiting for approval"),
        ("validate", "Waiting for a person"),
    ):
        if kind in kinds:
            return text
    return "Waiting" if "delay" in kinds else "Checks running"


def why_not(act: Callable[[], None]) -> SluiceError | None:
    """Why something may not be done; None when it may."""
    try:
        act()
    except NotPermittedError as error:
        return error
    return None


def _review(
    transaction: Transaction, caller: Caller, run: RunRow, request: RequestRow, stage: str, check: Check | None
) -> Review:
    kind = _kind(request)
    name = words.plain(request.resource_name)
    label = words.label(request.resource_type)
    base = Review(request=request, kind=kind, label=label, name=name, stage=stage)
    if kind in {"permit", "disabled"}:
        return _permission(transaction, caller, base)
    if kind == "approve" and check is not None:
        return _approval(transaction, caller, run, check, base)
    if kind == "check":
        may = check is not None and _may_bypass(transaction, caller, run, check)
        return replace(base, told=words.plain(request.detail) or "Being evaluated", bypassable=may)
    told = {"start": "To be started", "delay": f"Until {words.iso(request.expires_at)}"}.get(
        kind, f"To be answered before {words.iso(request.expires_at)}"
    )
    refusal = why_not(lambda: require_queue(transaction, caller.guard, run)) if kind != "delay" else None
    instructions = words.plain(request.detail) if kind == "validate" else ""
    return replace(base, told=told, refusal=refusal, instructions=instructions)


def _kind(request: RequestRow) -> Kind:
    kinds: Mapping[str, Kind] = {
        texts.STAGE: "start",
        texts.APPROVAL: "approve",
        texts.CHECK: "check",
        texts.VALIDATION: "validate",
        texts.DELAY: "delay",
    }
    if request.resource_type == "endpoint" and request.detail == texts.DISABLED:
        return "disabled"
    return kinds.get(request.resource_type, "permit")


def _permission(transaction: Transaction, caller: Caller, base: Review) -> Review:
    request = base.request
    resource = Resource(request.project_id, request.resource_id, request.resource_type)
    guard = caller.guard

    def permit() -> None:
        guard.require(transaction, Right.PERMIT, resource, request.resource_name, pipeline_id=request.pipeline_id)

    facts = [f"named at {request.where}"] if request.where else []
    if request.resource_type == "endpoint" and why_not(lambda: _see(transaction, caller, resource)) is None:
        record = lookup.find(transaction, request.project_id, request.resource_id)
        if record is not None:
            facts.insert(0, " · ".join(part for part in (record.type, record.url) if part))
    if request.step_id:
        facts.append("a variable named it at run time")
    disabled = request.detail == texts.DISABLED
    told = words.capitalize_first(texts.DISABLED) if disabled else texts.PERMISSION_NEEDED
    caution = "" if disabled else words.plain(words.capitalize_first(request.detail))
    return replace(base, told=told, facts=tuple(map(words.plain, facts)), refusal=why_not(permit), caution=caution)


def _see(transaction: Transaction, caller: Caller, resource: Resource) -> None:
    if not caller.guard.allows(transaction, Right.SEE, resource):
        raise NotPermittedError("it is not there for this person")


def _approval(transaction: Transaction, caller: Caller, run: RunRow, check: Check, base: Review) -> Review:
    decisions = caller.check_decisions
    refusal = None
    if not decisions.may_decide(transaction, run, check):
        who = " or ".join(approval.waits_for(check))
        refusal = NotPermittedError("this approval does not wait for you", do=f"ask {who}" if who else "")
    wanted, given = approval.required(check), sum(bool(step.actual) for step in check.steps)
    told = (
        f"{given} of {wanted} approved"
        if wanted > 1
        else f"Waits for {' or '.join(approval.waits_for(check)) or 'its time'}"
    )
    resource = check.resource
    facts = ["a variable named it at run time"] if resource.named_at_run_time else []
    parts = tuple(
        Part(
            approver=words.plain(step.approver),
            look=words.check_look("running" if str(step.state) == "pending" else str(step.state)),
            actual=words.plain(step.actual),
            comment=words.plain(step.comment),
            at=step.modified_at,
        )
        for step in check.steps
    )
    return replace(
        base,
        told=words.plain(told),
        facts=tuple(map(words.plain, facts)),
        refusal=refusal,
        instructions=words.plain(check.settings.get("instructions", "")),
        parts=parts,
        bypassable=_may_bypass(transaction, caller, run, check),
        caution=words.plain(words.capitalize_first(resource.caution)),
    )


def _may_bypass(transaction: Transaction, caller: Caller, run: RunRow, check: Check) -> bool:
    if not check.bypassable:
        return False
    resource = Resource(run.project_id, check.resource.id, check.resource.kind)
    require = caller.guard.require
    return why_not(lambda: require(transaction, Right.BYPASS, resource, check.resource.name)) is None
