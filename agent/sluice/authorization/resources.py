"""What a stage asks for, what is known about it, and whether it may have it. Pure."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sluice.authorization.texts import TYPE_LABELS

ENDPOINT = "endpoint"
VARIABLE_GROUP = "variablegroup"
ENVIRONMENT = "environment"
LEARN_MORE = "For authorization details, refer to https://aka.ms/yamlauthz."


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A resource that the pipeline names: a service connection, or what else `kind` says.

    `job`, `step` and `input` are as written in the pipeline ('' where there is none), `where` is the place of the
    name, `type` and `schemes` what is accepted (of connections; '' and none: anything).
    """

    name: str
    kind: str = ENDPOINT
    job: str = ""
    step: str = ""
    input: str = ""
    type: str = ""
    schemes: tuple[str, ...] = ()
    where: str = ""

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


class Reason(enum.StrEnum):
    """Why a need is not met."""

    MISSING = "missing"
    DISABLED = "disabled"
    WRONG_TYPE = "wrong-type"
    WRONG_SCHEME = "wrong-scheme"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A need that cannot be met by any permit, with the text for the person."""

    need: Need
    reason: Reason
    text: str
    hint: str = ""


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


def assess(needs: Iterable[Need], known: Mapping[Key, Known], names: Mapping[str, Iterable[str]]) -> Assessment:
    """Sort needs into permitted, pending and refused.

    `known` maps what was asked for to the resource it resolves to (connections that others link to included, by their
    name), `names` are, by kind, all names of the project, from which the nearest is offered.
    """
    permitted: dict[Key, Known] = {}
    pending: dict[Key, Pending] = {}
    refusals: list[Refusal] = []
    for need in _with_linked(needs, known):
        resource = known.get(need.key)
        if refusal := refuse(need, resource, names.get(need.kind, ())):
            refusals.append(refusal)
        elif resource is not None and resource.permitted:
            permitted[resource.kind, resource.id] = resource
        elif resource is not None:
            key = resource.kind, resource.id
            earlier = pending[key].needs if key in pending else ()
            pending[key] = Pending(resource=resource, needs=(*earlier, need))
    return Assessment(permitted=tuple(permitted.values()), pending=tuple(pending.values()), refusals=tuple(refusals))


def refuse(need: Need, resource: Known | None, names: Iterable[str] = ()) -> Refusal | None:
    """Why a need cannot be met whoever permits it; None when it can."""
    if resource is None:
        return Refusal(need=need, reason=Reason.MISSING, text=_not_found(need), hint=_nearest(need, names))
    if resource.disabled:
        hint = f"'{resource.name}' is disabled: sluice connection update '{resource.name}' --enable"
        return Refusal(need=need, reason=Reason.DISABLED, text=_not_found(need), hint=hint)
    if need.type and need.type.casefold() != resource.type.casefold():
        return Refusal(need=need, reason=Reason.WRONG_TYPE, text=_wrong_type(need, resource))
    accepted = {scheme.casefold() for scheme in need.schemes}
    if accepted and resource.scheme.casefold() not in accepted:
        return Refusal(need=need, reason=Reason.WRONG_SCHEME, text=_wrong_scheme(need, resource))
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
                Need(name=name, job=need.job, step=need.step, input=need.input, type=resource.type, where=need.where)
                for name in resource.linked
            )


def _not_found(need: Need) -> str:
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


def _nearest(need: Need, names: Iterable[str]) -> str:
    folded = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(need.name.casefold(), folded, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{folded[near[0]]}'?"
    if need.kind == VARIABLE_GROUP:
        return f"create it: sluice variable-group create '{need.name}' --set ..."
    if need.kind == ENVIRONMENT:
        return f"create it: sluice environment create '{need.name}'"
    return f"create it: sluice connection create '{need.name}' --type ..."
