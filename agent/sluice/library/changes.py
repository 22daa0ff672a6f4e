"""What is to be stored of a new variable group or of an update. Pure: from what was entered to what can be stored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Protocol, TypeVar

from sluice.connections.catalogue import nearest
from sluice.connections.references import check_reference
from sluice.connections.validation import MAX_DESCRIPTION, MAX_NAME, MAX_VALUE, weakness
from sluice.errors import ConnectionInvalidError, NotFoundError, UsageError, VariableGroupInvalidError
from sluice.library.group import GroupDraft, GroupUpdate, VariableGroup
from sluice.secret import Secret
from sluice.storage.names import clean_name, hidden_characters, is_guid
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.references import Sources


Value = TypeVar("Value")

MAX_VARIABLES = 10_000
MAX_GROUP = 8 << 20
"""The most characters that the public values of a group, or its secrets, may have together."""

RESERVED_PREFIXES = ("endpoint", "input", "secret", "securefile")
"""Beginnings of names that never reach the environment (as the runtime has it; a test compares them)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The variables of a group as they are to be stored.

    `secrets` are those that were entered, `kept` the names of those that are stored already and stay; `changed` names
    what differs from before, `warnings` are for the person who entered it.
    """

    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    kept: frozenset[str] = frozenset()
    changed: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class _Entered(Protocol):
    @property
    def variables(self) -> Mapping[str, str]: ...
    @property
    def secrets(self) -> Mapping[str, Secret]: ...
    @property
    def references(self) -> Mapping[str, str]: ...


def check_group_name(name: str) -> str:
    """A group's name as it is stored; raises `VariableGroupInvalidError` for one that cannot be referred to."""
    cleaned = clean_name(name)
    if not cleaned:
        raise VariableGroupInvalidError("a variable group needs a name")
    if len(cleaned) > MAX_NAME:
        raise VariableGroupInvalidError(f"the variable group's name is longer than {MAX_NAME} characters")
    if hidden_characters(cleaned):
        raise VariableGroupInvalidError("the variable group's name holds characters that cannot be seen")
    if is_guid(cleaned):
        raise VariableGroupInvalidError("a variable group's name may not look like an id", do="choose a name of words")
    return cleaned


def check_group_description(description: str) -> str:
    """A description as it is stored."""
    if len(description) > MAX_DESCRIPTION:
        raise VariableGroupInvalidError(f"the description is longer than {MAX_DESCRIPTION} characters")
    return description.strip()


def fit_draft(draft: GroupDraft, sources: Sources = None) -> Contents:
    """The variables of a new group; raises `VariableGroupInvalidError` that names everything that is wrong."""
    return _add(Contents(), draft, sources)


def merge(group: VariableGroup, update: GroupUpdate, sources: Sources = None) -> Contents:
    """The variables of a group after an update.

    A name is spelt as it was first. Raises as `fit_draft`, `NotFoundError` for an unknown name that is to be removed,
    and `UsageError` for a plain value in place of a secret one, which may be a slip.
    """
    removed = _named(group, update.unset)
    before = Contents(
        variables={name: value for name, value in group.variables.items() if name not in removed},
        references={name: value for name, value in group.references.items() if name not in removed},
        kept=group.secrets - removed,
        changed=tuple(sorted(removed)),
    )
    return _add(before, update, sources)


def _named(group: VariableGroup, names: Iterable[str]) -> frozenset[str]:
    known = {name.casefold(): name for name in group.names()}
    found = set()
    for name in names:
        spelt = known.get(clean_name(name).casefold())
        if spelt is None:
            hint = nearest(name, list(known.values()), otherwise=f"it has: {', '.join(group.names()) or 'none'}")
            raise NotFoundError(f"the variable group '{group.name}' has no variable '{clean_name(name)}'", do=hint)
        found.add(spelt)
    return frozenset(found)


def _add(before: Contents, entered: _Entered, sources: Sources) -> Contents:
    _check(entered, sources)
    spelt = {name.casefold(): name for name in (*before.variables, *before.references, *before.kept)}
    values = {spelt.get(name.casefold(), name): value for name, value in _cleaned(entered.variables).items()}
    secrets = {spelt.get(name.casefold(), name): value for name, value in _cleaned(entered.secrets).items()}
    references = {spelt.get(name.casefold(), name): value for name, value in _cleaned(entered.references).items()}
    for name in values:
        if name in before.kept or name in before.references:
            raise UsageError(
                f"the variable '{name}' is secret and is not taken as a plain value",
                do=f"use --secret {name}=-; to make it public, give --unset {name} as well",
            )
    again = values.keys() | secrets.keys() | references.keys()
    after = Contents(
        variables={**_without(before.variables, again), **values},
        secrets=secrets,
        references={**_without(before.references, again), **references},
        kept=before.kept - again,
        changed=_changed(before, values, secrets, references),
        warnings=_warnings(again, secrets),
    )
    _check_size(after)
    return after


def _check(entered: _Entered, sources: Sources) -> None:
    problems = []
    seen: dict[str, str] = {}
    for name in (*entered.variables, *entered.secrets, *entered.references):
        if problem := _name_problem(name):
            problems.append(problem)
        elif (key := clean_name(name).casefold()) in seen:
            problems.append(f"the variable '{clean_name(name)}' is given twice")
        else:
            seen[key] = name
    for name, value in entered.variables.items():
        if problem := _value_problem(value):
            problems.append(f"the variable '{clean_name(name)}' {problem}")
    for name, secret in entered.secrets.items():
        if problem := _value_problem(secret.reveal(), secret=True):
            problems.append(f"the variable '{clean_name(name)}' {problem}")
    for name, reference in entered.references.items():
        try:
            check_reference(reference, sources)
        except ConnectionInvalidError as error:
            problems.append(f"'{clean_name(name)}': {error}")
    if problems:
        raise VariableGroupInvalidError("; ".join(problems))


def _name_problem(name: str) -> str:
    cleaned = clean_name(name)
    if not cleaned:
        return "a variable needs a name"
    if len(cleaned) > MAX_NAME:
        return f"a variable's name is longer than {MAX_NAME} characters"
    if hidden_characters(cleaned):
        return "a variable's name holds characters that cannot be seen"
    if set("()=") & set(cleaned):
        return f"the variable's name '{cleaned}' holds one of ( ) = and could not be referred to"
    return ""


def _value_problem(value: str, *, secret: bool = False) -> str:
    if len(value) > MAX_VALUE:
        return "is longer than 1 MiB"
    if "\0" in value:
        return "holds a NUL character"
    if secret and not value.strip():
        return "is secret and consists of blanks only"
    return ""


def _check_size(contents: Contents) -> None:
    count = len(contents.variables) + len(contents.secrets) + len(contents.references) + len(contents.kept)
    if count > MAX_VARIABLES:
        raise VariableGroupInvalidError(f"the variable group has {count} variables; {MAX_VARIABLES} are allowed")
    public = sum(map(len, contents.variables.values()))
    sealed = sum(len(secret.reveal()) for secret in contents.secrets.values())
    if max(public, sealed) > MAX_GROUP:
        raise VariableGroupInvalidError("the values of the variable group are longer than 8 MiB together")


def _changed(
    before: Contents, values: Mapping[str, str], secrets: Mapping[str, Secret], references: Mapping[str, str]
) -> tuple[str, ...]:
    names = [*before.changed]
    names.extend(name for name, value in values.items() if before.variables.get(name) != value)
    # a secret that is entered counts as changed: to compare it with the stored one would confirm guesses
    names.extend(secrets)
    names.extend(name for name, value in references.items() if before.references.get(name) != value)
    return tuple(dict.fromkeys(names))


def _warnings(names: Iterable[str], secrets: Mapping[str, Secret]) -> tuple[str, ...]:
    reserved = tuple(
        f"the variable '{name}' has a reserved name: tasks and scripts do not get it"
        for name in names
        if name.casefold().startswith(RESERVED_PREFIXES)
    )
    return reserved + tuple(text for name, secret in secrets.items() if (text := weakness(name, secret)))


def _cleaned(values: Mapping[str, Value]) -> dict[str, Value]:
    return {clean_name(name): value for name, value in values.items()}


def _without(values: Mapping[str, Value], names: Iterable[str]) -> dict[str, Value]:
    gone = frozenset(names)
    return {name: value for name, value in values.items() if name not in gone}
