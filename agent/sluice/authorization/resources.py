"""What a stage asks for, what is known about it, and whether it may have it. Pure."""

from __future__ import annotations

import difflib
import enum
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from sluice.authorization.limits import Limits
from sluice.authorization.texts import TYPE_LABELS
from sluice.authorization.trust import TRUSTED_RUN, RunOrigin, Trust, Untrusted
from sluice.values import dataclass

ENDPOINT = "endpoint"
VARIABLE_GROUP = "variablegroup"
ENVIRONMENT = "environment"
SECURE_FILE = "securefile"
REPOSITORY = "repository"
QUEUE = "queue"
"""Agent pools: what jobs name with `pool`."""

PROTECTED = (ENDPOINT, VARIABLE_GROUP, ENVIRONMENT, SECURE_FILE, REPOSITORY, QUEUE)
"""Every kind of resource that a pipeline needs a permit for."""

LEARN_MORE = "For authorization details, refer to https://aka.ms/yamlauthz."


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A resource that the pipeline names: a service connection, or what else `kind` says.

    `stage`, `job`, `step` and `input` are as written in the pipeline ('' where there is none), `task` is the step's,
    `where` the place of the name, `type` and `schemes` what is accepted (of connections; '' and none: anything).
    """

    name: str
    kind: str = ENDPOINT
    job: str = ""
    step: str = ""
    input: str = ""
    type: str = ""
    schemes: tuple[str, ...] = ()
    where: str = ""
    stage: str = ""
    task: str = ""

    @property
    def key(self) -> Key:
        """What it names."""
        return self.kind, self.name


Key = tuple[str, str]
"""The kind of a resource, and a name of it as it is written somewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What authorization knows of a resource that exists.

    `type`, `scheme`, `disabled` and `linked` are a connection's; the last are the names of connections that it needs.
    `permitted` says that there is a Permit without limits, `limits` are those of the others. `untrusted` are the
    untrusted runs that it lets in (every one where it holds no secret). `caution` is what whoever permits it is told.
    """

    id: str
    name: str
    kind: str = ENDPOINT
    type: str = ""
    scheme: str = ""
    disabled: bool = False
    version: int = 1
    permitted: bool = False
    linked: tuple[str, ...] = ()
    limits: tuple[Limits, ...] = ()
    untrusted: Untrusted = Untrusted.FORKS
    caution: str = ""

    def within_limits(self, need: Need, origin: RunOrigin) -> bool:
        """Whether a limited Permit allows what is asked for."""
        return any(not one.exceeded_by(stage=need.stage, branch=origin.branch, task=need.task) for one in self.limits)


class Reason(enum.StrEnum):
    """Why a need is not met."""

    MISSING = "missing"
    OTHER_PROJECT = "other-project"
    DISABLED = "disabled"
    WRONG_TYPE = "wrong-type"
    WRONG_SCHEME = "wrong-scheme"
    NOT_EXPANDED = "name-not-expanded"
    UNTRUSTED_REF = "untrusted-ref"
    OUTSIDE_LIMITS = "outside-limits"


OF_THE_RUN = frozenset({Reason.UNTRUSTED_REF, Reason.OUTSIDE_LIMITS})
"""Reasons that lie in the run, not in the pipeline: the stage that asks fails, others go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A need that cannot be met by any permit, with the text for the person; `resource_id` is '' where nothing is meant.

    `command` is what mends it, where the hint says more than that.
    """

    need: Need
    reason: Reason
    text: str
    hint: str = ""
    resource_id: str = ""
    command: str = ""

    def __str__(self) -> str:
        """All of it on one line: where, what, why, and what mends it."""
        where = f"{self.need.where}: " if self.need.where else ""
        return f"{where}{self.text}{f' ({self.hint})' if self.hint else ''}"

    @property
    def mend(self) -> str:
        """The command that makes what is named usable ('' where no single one does)."""
        need, name = self.need, shlex.quote(self.need.name)
        if self.reason is Reason.NOT_EXPANDED:
            return ""
        if self.command or self.reason in OF_THE_RUN:
            return self.command or self.hint
        if need.kind == VARIABLE_GROUP:
            return f"sluice variable-group create {name} --set NAME=VALUE"
        if need.kind == SECURE_FILE:
            return f"sluice secure-file upload PATH --name {name}"
        if self.reason is Reason.DISABLED:
            return f"sluice connection update {name} --enable"
        kind = f" --type {shlex.quote(need.type)}" if need.type else " --type TYPE"
        schemes = f" --scheme {shlex.quote(need.schemes[0])}" if need.schemes else ""
        if self.reason is Reason.MISSING:
            return f"sluice connection create {name}{kind}{schemes}"
        other = need.schemes[0] if self.reason is Reason.WRONG_SCHEME else need.type
        return f"sluice connection create {shlex.quote(f'{need.name}-{other}')}{kind}{schemes}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A resource that exists and waits for a permit; `needs` are the places that name it."""

    resource: Known
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The state of all needs of a stage (or of one step)."""

    permitted: tuple[Known, ...] = ()
    pending: tuple[Pending, ...] = ()
    refusals: tuple[Refusal, ...] = field(default=())


def assess(
    needs: Iterable[Need],
    known: Mapping[Key, Known],
    names: Mapping[str, Iterable[str]],
    origin: RunOrigin = TRUSTED_RUN,
    *,
    disabled_waits: bool = False,
) -> Assessment:
    """Sort needs of a run into permitted, pending and refused.

    `known` maps what was asked for to the resource it resolves to (connections that others link to included, by their
    name), `names` are, by kind, all names of the project, from which the nearest is offered.
    With `disabled_waits` a disabled connection is waited for until it is enabled, instead of refused.
    """
    permitted: dict[Key, Known] = {}
    pending: dict[Key, Pending] = {}
    refusals: list[Refusal] = []
    for need in _with_linked(needs, known):
        resource = known.get(need.key)
        enabled = replace(resource, disabled=False) if resource and disabled_waits else resource
        if refusal := refuse(need, enabled, names.get(need.kind, ()), origin):
            refusals.append(replace(refusal, resource_id=resource.id if resource else ""))
        elif resource is not None and not resource.disabled and _may_have(need, resource, origin):
            permitted[resource.kind, resource.id] = resource
        elif resource is not None:
            key = resource.kind, resource.id
            earlier = pending[key].needs if key in pending else ()
            pending[key] = Pending(resource=resource, needs=(*earlier, need))
    return Assessment(permitted=tuple(permitted.values()), pending=tuple(pending.values()), refusals=tuple(refusals))


def _may_have(need: Need, resource: Known, origin: RunOrigin) -> bool:
    return resource.permitted or resource.within_limits(need, origin)


def refuse(
    need: Need, resource: Known | None, names: Iterable[str] = (), origin: RunOrigin = TRUSTED_RUN
) -> Refusal | None:
    """Why a need cannot be met whoever permits it; None when it can.

    A Permit that is limited to something else refuses: who limited it did not mean to be asked each time.
    """
    if resource is None and "$(" in need.name:
        return Refusal(need=need, reason=Reason.NOT_EXPANDED, text=_not_expanded(need), hint=_EXPANDING)
    if resource is None:
        return Refusal(need=need, reason=Reason.MISSING, text=_not_found(need), hint=_nearest(need, names))
    if resource.disabled:
        hint = f"'{resource.name}' is disabled: sluice connection update '{resource.name}' --enable"
        return Refusal(need=need, reason=Reason.DISABLED, text=_not_found(need), hint=hint)
    if need.type and need.type.casefold() != resource.type.casefold():
        return _hinted(Refusal(need=need, reason=Reason.WRONG_TYPE, text=_wrong_type(need, resource)))
    accepted = {scheme.casefold() for scheme in need.schemes}
    if accepted and resource.scheme.casefold() not in accepted:
        return _hinted(Refusal(need=need, reason=Reason.WRONG_SCHEME, text=_wrong_scheme(need, resource)))
    return _refuse_run(need, resource, origin)


def _hinted(refusal: Refusal) -> Refusal:
    return replace(refusal, hint=f"one that fits: {refusal.mend}")


def _refuse_run(need: Need, resource: Known, origin: RunOrigin) -> Refusal | None:
    """Why this run may not have a resource that others may have."""
    if not resource.untrusted.admits(origin.trust):
        return Refusal(
            need=need, reason=Reason.UNTRUSTED_REF, text=_untrusted(resource, origin), hint=_admit(resource, origin)
        )
    if resource.limits and not resource.permitted and not resource.within_limits(need, origin):
        return Refusal(
            need=need,
            reason=Reason.OUTSIDE_LIMITS,
            text=_outside(need, resource, origin),
            hint=_widen(need, resource, origin),
        )
    return None


def _with_linked(needs: Iterable[Need], known: Mapping[Key, Known]) -> Iterable[Need]:
    queue = list(needs)
    seen: set[tuple[Key, str, str, str]] = set()
    while queue:
        need = queue.pop(0)
        identity = (need.key, need.job, need.step, need.input)
        if identity in seen:
            continue
        seen.add(identity)
        yield need
        if resource := known.get(need.key):
            queue.extend(
                replace(need, name=name, kind=ENDPOINT, type=resource.type, schemes=()) for name in resource.linked
            )


def _not_found(need: Need) -> str:
    if need.kind == SECURE_FILE and need.step:
        return (
            f"Job {need.job}: Step {need.step} input {need.input} references secure file {need.name} "
            "which could not be found. The secure file does not exist or has not been authorized for use."
        )
    if need.kind != ENDPOINT:
        resource = TYPE_LABELS[need.kind].lower()
        return (
            f"Could not find a {resource} with name {need.name}. "
            f"The {resource} does not exist or has not been authorized for use."
        )
    existence = "The service connection does not exist, has been disabled or has not been authorized for use."
    if not need.step and not need.input:
        return f"A service connection with name {need.name} could not be found. {existence} {LEARN_MORE}"
    return (
        f"Job {need.job}: Step {need.step} input {need.input} references service connection {need.name} "
        f"which could not be found. {existence} {LEARN_MORE}"
    )


def _wrong_type(need: Need, connection: Known) -> str:
    return (
        f"Job {need.job}: Step {need.step} input {need.input} expects a service connection of type {need.type} "
        f"but the provided service connection {connection.name} is of type {connection.type}."
    )


def _wrong_scheme(need: Need, connection: Known) -> str:
    return (
        f"Job {need.job}: Step {need.step} input {need.input} expects a service connection of type {connection.type} "
        f"with authentication scheme {', '.join(need.schemes)} but the provided service connection {connection.name} "
        f"is of type {connection.type} using authentication scheme {connection.scheme}."
    )


_EXPANDING = "no variable of that name is set when the name is needed: set it before, or write the connection's name"


def _not_expanded(need: Need) -> str:
    step = f"Job {need.job}: Step {need.step} input {need.input}: " if need.step else ""
    return f"{step}The name '{need.name}' of the service connection still holds a macro that was not replaced."


def _untrusted(resource: Known, origin: RunOrigin) -> str:
    label = TYPE_LABELS.get(resource.kind, resource.kind).lower()
    whose = "a fork" if origin.trust is Trust.FORK else "a pull request"
    at = f" ({origin.branch})" if origin.branch else ""
    return f"The {label} '{resource.name}' is not given to this run: it runs the changes of {whose}{at}."


COMMANDS: Mapping[str, str] = {
    ENDPOINT: "connection",
    VARIABLE_GROUP: "variable-group",
    ENVIRONMENT: "environment",
    SECURE_FILE: "secure-file",
    REPOSITORY: "repository",
    QUEUE: "pool",
}
"""The command of each kind of protected resource."""

_TRUSTING = frozenset({ENDPOINT, VARIABLE_GROUP, SECURE_FILE})


def _admit(resource: Known, origin: RunOrigin) -> str:
    allowed = Untrusted.FORKS if origin.trust is Trust.FORK else Untrusted.PULL_REQUESTS
    if resource.kind not in _TRUSTING:
        return f"let it in with 'allowUntrusted: {allowed}' and 'sluice authorization apply'"
    return f"sluice {COMMANDS[resource.kind]} update {shlex.quote(resource.name)} --allow-untrusted {allowed}"


def _widen(need: Need, resource: Known, origin: RunOrigin) -> str:
    """The command that permits this use too, and all that the limits allow now."""
    options = [f"--pipeline {shlex.quote(origin.pipeline) if origin.pipeline else 'PIPELINE'}"]
    places = (
        ("--stage", "stages", need.stage),
        ("--branch", "branches", origin.branch),
        ("--task", "tasks", need.task),
    )
    for option, limited, value in places:
        allowed = dict.fromkeys(one for limits in resource.limits for one in getattr(limits, limited))
        named = {**allowed, value: None} if allowed and value else allowed
        options.extend(f"{option} {shlex.quote(one)}" for one in named)
    command = COMMANDS.get(resource.kind, resource.kind)
    return f"sluice {command} permit {shlex.quote(resource.name)} {' '.join(options)}"


def _outside(need: Need, resource: Known, origin: RunOrigin) -> str:
    label = TYPE_LABELS.get(resource.kind, resource.kind).lower()
    why = [one.exceeded_by(stage=need.stage, branch=origin.branch, task=need.task) for one in resource.limits]
    return f"The pipeline may use the {label} '{resource.name}' only within limits: {'; '.join(why)}."


def in_other_project(refusal: Refusal, project: str, home: str) -> Refusal:
    """The refusal of a connection that is missing in its project (`home`), where another one has it."""
    name, source, target = map(shlex.quote, (refusal.need.name, project, home))
    command = f"sluice connection share {name} --from {source} --project {target} --as {name}"
    hint = f"the project '{project}' has one, share it: {command}"
    return replace(refusal, reason=Reason.OTHER_PROJECT, hint=hint, command=command)


def _nearest(need: Need, names: Iterable[str]) -> str:
    folded = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(need.name.casefold(), folded, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{folded[near[0]]}'?"
    if need.kind == VARIABLE_GROUP:
        return f"create it: sluice variable-group create '{need.name}' --set ..."
    if need.kind == SECURE_FILE:
        return f"upload it: sluice secure-file upload PATH --name '{need.name}'"
    if need.kind == ENVIRONMENT:
        return f"create it: sluice environment create '{need.name}'"
    return f"create it: sluice connection create '{need.name}' --type ..."
