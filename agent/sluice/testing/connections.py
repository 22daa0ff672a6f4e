"""Opened service connections for tests of task handlers and verifications."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from sluice.hooks.connection import Connection
from sluice.hooks.declaration import ConnectionType, Field
from sluice.hooks.manager import installed
from sluice.secret import Secret


def make_connection(
    type: ConnectionType | str,  # noqa: A002  # the field's word
    name: str = "test",
    *,
    url: str = "",
    scheme: str = "",
    values: Mapping[str, str] | None = None,
    linked: Mapping[str, Connection] | None = None,
) -> Connection:
    """A connection of a declared or installed type, as a handler receives it.

    `values` are parameters of the scheme (the type's first one unless named) and data, by key; those of secret fields
    become a `Secret`. Raises `LookupError` for a type, scheme or key that is not declared.
    """
    declared = _installed_type(type) if isinstance(type, str) else type
    chosen = declared.scheme(scheme) if scheme else next(iter(declared.schemes), None)
    if scheme and chosen is None:
        raise LookupError(f"the connection type {declared.name} has no scheme '{scheme}'")
    parameters = {one.key.casefold(): one for one in (chosen.parameters if chosen else ())}
    data = {one.key.casefold(): one for one in declared.data}
    given: dict[str, dict[str, str | Secret]] = {"parameters": {}, "data": {}}
    for key, value in (values or {}).items():
        place, known = ("parameters", parameters) if key.casefold() in parameters else ("data", data)
        if key.casefold() not in known:
            raise LookupError(f"the connection type {declared.name} has no field '{key}'")
        one: Field = known[key.casefold()]
        given[place][one.key] = Secret(value) if one.secret else value
    return Connection(
        id=str(uuid.uuid4()),
        name=name,
        type=declared.name,
        url=url,
        scheme=chosen.name if chosen else "",
        parameters=given["parameters"],
        data=given["data"],
        linked=linked or {},
    )


def _installed_type(name: str) -> ConnectionType:
    try:
        return installed().types[name.casefold()]
    except KeyError:
        raise LookupError(f"no installed plugin offers the connection type {name}") from None
