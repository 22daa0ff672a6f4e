"""The connection types of plugins and of installed extensions, looked up as people write them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sluice.connections.connection import Key
from sluice.errors import ConnectionInvalidError, NotFoundError

if TYPE_CHECKING:
    from sluice.hooks.declaration import ConnectionType, Field, Scheme


class Catalogue:
    """Connection types by name. `types` is what the plugin host offers: casefolded name -> type."""

    def __init__(self, types: Mapping[str, ConnectionType]) -> None:
        self._types = types

    @classmethod
    def installed(cls) -> Catalogue:
        """The types of the plugins of this process, and those of installed extensions that no plugin has."""
        from sluice.connections.contributed import installed_types
        from sluice.hooks.manager import installed

        contributed = {name: one.type for name, one in installed_types().items()}
        return cls(contributed | dict(installed().types) if contributed else installed().types)

    def all(self) -> tuple[ConnectionType, ...]:
        """Every type, by name."""
        return tuple(sorted(self._types.values(), key=lambda kind: kind.name.casefold()))

    def find(self, name: str) -> ConnectionType | None:
        """The type of that name, ignoring case."""
        return self._types.get(name.strip().casefold())

    def get(self, name: str) -> ConnectionType:
        """The type of that name, ignoring case; raises `NotFoundError` with the nearest name."""
        if found := self.find(name):
            return found
        names = [kind.name for kind in self.all()]
        raise NotFoundError(
            f"there is no connection type '{name}'",
            do=nearest(name, names, otherwise="see 'sluice connection types'; is its plugin installed?"),
        )


def choose_scheme(kind: ConnectionType, name: str) -> Scheme | None:
    """The scheme of that name; of none, the type's default or only one. Raises `ConnectionInvalidError`."""
    names = [scheme.name for scheme in kind.schemes]
    name = name or kind.default_scheme
    if not name:
        if len(kind.schemes) > 1:
            raise ConnectionInvalidError(
                f"'{kind.name}' has several authentication schemes", do=f"choose one of: {', '.join(names)}"
            )
        return kind.schemes[0] if kind.schemes else None
    if found := kind.scheme(name):
        return found
    raise ConnectionInvalidError(
        f"'{kind.name}' has no authentication scheme '{name}'",
        do=nearest(name, names, otherwise=f"known: {', '.join(names) or 'none'}"),
    )


def fields_of(kind: ConnectionType, scheme: Scheme | None) -> dict[Key, Field]:
    """Every field of a type under one scheme, by place and key: the scheme's parameters, then the data."""
    found: dict[Key, Field] = {}
    for field in scheme.parameters if scheme else ():
        found["parameters", field.key] = field
    for field in kind.data:
        found["data", field.key] = field
    return found


def find_field(fields: Mapping[Key, Field], name: str) -> Key | None:
    """The field that a person names, ignoring case; `data.Key` and `parameters.Key` tell namesakes apart."""
    wanted = name.strip().casefold()
    for key in fields:
        if key[1].casefold() == wanted:
            return key
    for key in fields:
        if f"{key[0]}.{key[1]}".casefold() == wanted:
            return key
    return None


def nearest(name: str, known: list[str], *, otherwise: str) -> str:
    """A hint at the known name that is most like the one written."""
    by_key = {one.casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold(), by_key, n=1)
    return f"did you mean '{by_key[near[0]]}'?" if near else otherwise
