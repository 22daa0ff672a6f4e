"""What is wrong with a declaration, beyond what its types say: told to the author before a user meets it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sluice.hooks.declaration import ConnectionType, Family, Field, Task

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*")
_TASK = re.compile(r"[A-Za-z][A-Za-z0-9_-]*@[0-9]+")
_CONNECTION = "connectedservice:"


def problems_of(family: Family, others: Mapping[str, ConnectionType]) -> list[str]:
    """Everything that is wrong with what a family declares; `others` are the types of all plugins, by casefolded name."""
    known = {**others, **{kind.name.casefold(): kind for kind in family.types}}
    found = [*_repeated("connection type", (kind.name for kind in family.types))]
    for kind in family.types:
        found += _type_problems(kind, known)
    for what, named in (
        ("verify", family.verify),
        ("prepare", family.prepare),
        ("repositories", family.repositories),
    ):
        found += [
            f"{what} names the type '{name}', which it does not declare" for name in named if not _own(family, name)
        ]
    found += _repeated("task", (task.reference for task in family.tasks))
    for task in family.tasks:
        found += _task_problems(task, known)
    return found


def _own(family: Family, name: str) -> bool:
    return any(kind.name.casefold() == name.casefold() for kind in family.types)


def _type_problems(kind: ConnectionType, known: Mapping[str, ConnectionType]) -> Iterator[str]:
    where = f"the type {kind.name}"
    if not _NAME.fullmatch(kind.name):
        yield f"{where}: a name is of letters, digits, '.', '_' and '-'"
    if not kind.label.strip():
        yield f"{where} has no label"
    yield from (f"{where}: {text}" for text in _repeated("scheme", (scheme.name for scheme in kind.schemes)))
    if kind.default_scheme and kind.scheme(kind.default_scheme) is None:
        yield f"{where}: its default scheme '{kind.default_scheme}' is none of its schemes"
    for scheme in kind.schemes or (None,):
        fields = (*(scheme.parameters if scheme else ()), *kind.data)
        yield from (f"{where}: {text}" for text in _repeated("field", (one.key for one in fields)))
    for one in {one.key: one for scheme in kind.schemes for one in scheme.parameters}.values():
        yield from _field_problems(f"{where}, field {one.key}", one, known)
    for one in kind.data:
        yield from _field_problems(f"{where}, field {one.key}", one, known)
    data = {one.key.casefold() for one in kind.data}
    parts = re.findall(r"\{([^{}]+)\}", kind.url.template)
    yield from (
        f"{where}: the url's template names '{part}', no data field" for part in parts if part.casefold() not in data
    )
    if kind.url.default and kind.url.schemes and kind.url.default.partition(":")[0] not in kind.url.schemes:
        yield f"{where}: the url's default has a scheme that it does not allow"


def _field_problems(where: str, one: Field, known: Mapping[str, ConnectionType]) -> Iterator[str]:
    if not _NAME.fullmatch(one.key):
        yield f"{where}: a key is of letters, digits, '.', '_' and '-'"
    if not one.label.strip():
        yield f"{where} has no label"
    if one.secret and one.default:
        yield f"{where}: a secret has no default, which everybody could read"
    if one.secret and one.address:
        yield f"{where}: where the far side is is no secret"
    if one.kind == "choice" and not one.choices:
        yield f"{where}: a choice without choices"
    if one.choices and one.default and one.default not in one.choices:
        yield f"{where}: the default is none of the choices"
    if one.kind == "connection" and one.connection_type and one.connection_type.casefold() not in known:
        yield f"{where}: there is no connection type '{one.connection_type}'"
    if one.validation:
        yield from _validation_problems(where, one)


def _validation_problems(where: str, one: Field) -> Iterator[str]:
    try:
        matched = re.compile(one.validation).fullmatch(one.default) or not one.default
    except re.error as error:
        yield f"{where}: the validation is no regular expression: {error}"
        return
    if not matched:
        yield f"{where}: the default does not pass the validation"
    if not one.validation_message:
        yield f"{where}: a validation needs a validation_message, which tells a person what is expected"


def _task_problems(task: Task, known: Mapping[str, ConnectionType]) -> Iterator[str]:
    where = f"the task {task.reference}"
    if not _TASK.fullmatch(task.reference):
        yield f"{where}: a reference is Name@Major"
    names = [name for one in task.inputs or () for name in (one.name, *one.aliases)]
    yield from (f"{where}: {text}" for text in _repeated("input", names))
    for one in task.inputs or ():
        if one.type.casefold().startswith(_CONNECTION):
            yield from _connection_problems(f"{where}, input {one.name}", one.type[len(_CONNECTION) :], known)
        if one.options and one.default and one.default not in one.options:
            yield f"{where}, input {one.name}: the default is none of the options"


def _connection_problems(where: str, wanted: str, known: Mapping[str, ConnectionType]) -> Iterator[str]:
    name, _, schemes = wanted.partition(":")
    kind = known.get(name.casefold())
    if kind is None:
        yield f"{where}: there is no connection type '{name}'"
        return
    for scheme in filter(None, (one.strip() for one in schemes.split(","))):
        if kind.scheme(scheme) is None:
            yield f"{where}: the type {kind.name} has no scheme '{scheme}'"


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    counted = Counter(name.casefold() for name in names)
    return (f"the {what} '{name}' is there {count} times" for name, count in counted.items() if count > 1)
