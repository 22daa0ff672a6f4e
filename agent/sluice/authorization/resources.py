"""What a stage asks for, what is known about it, and whether it may have it. Pure."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

LEARN_MORE = "For authorization details, refer to https://aka.ms/yamlauthz."


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A service connection that a step or a resource names.

    `job`, `step` and `input` are as written in the pipeline ('' where there is none), `where` is the place of the
    name, `type` and `schemes` what is accepted ('' and none: anything).
    """

    name: str
    job: str = ""
    step: str = ""
    input: str = ""
    type: str = ""
    schemes: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What authorization knows of a connection that exists; `linked` are the names of connections it needs itself."""

    id: str
    name: str
    type: str
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
    """A connection that exists and waits for a permit; `needs` are the places that name it."""

    connection: Known
    needs: tuple[Need, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The state of all needs of a stage (or of one step)."""

    permitted: tuple[Known, ...] = ()
    pending: tuple[Pending, ...] = ()
    refusals: tuple[Refusal, ...] = field(default=())


def assess(needs: Iterable[Need], known: Mapping[str, Known], names: Iterable[str]) -> Assessment:
    """Sort needs into permitted, pending and refused.

    `known` maps each name that was asked for to the connection it resolves to (connections that others link to
    included, by their name), `names` are all names of the project, from which the nearest is offered.
    """
    permitted: dict[str, Known] = {}
    pending: dict[str, Pending] = {}
    refusals: list[Refusal] = []
    names = tuple(names)
    for need in _with_linked(needs, known):
        connection = known.get(need.name)
        if refusal := refuse(need, connection, names):
            refusals.append(refusal)
        elif connection is not None and connection.permitted:
            permitted[connection.id] = connection
        elif connection is not None:
            earlier = pending[connection.id].needs if connection.id in pending else ()
            pending[connection.id] = Pending(connection=connection, needs=(*earlier, need))
    return Assessment(
        permitted=tuple(permitted.values()), pending=tuple(pending.values()), refusals=tuple(refusals)
    )


def refuse(need: Need, connection: Known | None, names: Iterable[str] = ()) -> Refusal | None:
    """Why a need cannot be met whoever permits it; None when it can."""
    if connection is None:
        return Refusal(need=need, reason=Reason.MISSING, text=_not_found(need), hint=_nearest(need.name, names))
    if connection.disabled:
        hint = f"'{connection.name}' is disabled: sluice connection update '{connection.name}' --enable"
        return Refusal(need=need, reason=Reason.DISABLED, text=_not_found(need), hint=hint)
    if need.type and need.type.casefold() != connection.type.casefold():
        return Refusal(need=need, reason=Reason.WRONG_TYPE, text=_wrong_type(need, connection))
    accepted = {scheme.casefold() for scheme in need.schemes}
    if accepted and connection.scheme.casefold() not in accepted:
        return Refusal(need=need, reason=Reason.WRONG_SCHEME, text=_wrong_scheme(need, connection))
    return None


def _with_linked(needs: Iterable[Need], known: Mapping[str, Known]) -> Iterable[Need]:
    queue = list(needs)
    seen: set[tuple[str, str, str, str]] = set()
    while queue:
        need = queue.pop(0)
        identity = (need.name, need.job, need.step, need.input)
        if identity in seen:
            continue
        seen.add(identity)
        yield need
        if connection := known.get(need.name):
            queue.extend(
                Need(name=name, job=need.job, step=need.step, input=need.input, type=connection.type, where=need.where)
                for name in connection.linked
            )


def _not_found(need: Need) -> str:
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


def _nearest(name: str, names: Iterable[str]) -> str:
    folded = {other.casefold(): other for other in names}
    near = difflib.get_close_matches(name.casefold(), folded, n=1, cutoff=0.5)
    if near:
        return f"did you mean '{folded[near[0]]}'?"
    return f"create it: sluice connection create '{name}' --type ..."
