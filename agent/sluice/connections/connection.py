"""A stored service connection as everybody may see it: no secrets, only which of them are set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from sluice.secret import Secret
from sluice.values import dataclass

Place = Literal["parameters", "data"]
"""Where a value lies: with the authentication scheme's parameters, or with the type's data."""

Key = tuple[Place, str]
"""A value's place and key, spelt as the type declares it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionRecord:
    """A connection in one project, without its secrets.

    `secrets` are the secret values that are stored (sealed), `references` the ones that are read elsewhere at each
    use. `version` grows with every change of what the connection is or opens. Times are seconds since the epoch.
    """

    id: str
    project_id: int
    name: str
    description: str
    type: str
    scheme: str
    url: str
    owner: str
    disabled: bool
    version: int
    parameters: Mapping[str, str]
    data: Mapping[str, str]
    secrets: frozenset[Key]
    references: Mapping[Key, str]
    created_by: str
    created_at: float
    modified_by: str
    modified_at: float

    def values(self) -> Mapping[Key, str]:
        """Every public value by its place and key."""
        found: dict[Key, str] = {("parameters", key): value for key, value in self.parameters.items()}
        found.update({("data", key): value for key, value in self.data.items()})
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A connection as a person enters it: fields by key, whatever their place and spelling.

    `secrets` are to be sealed, `references` to be stored as written (`env:NAME`, `file:/path`, or a plugin's).
    `untrusted` are the untrusted runs that it lets in (`none`, `pull-requests`, `forks`), `expires` a date or ''.
    """

    name: str
    type: str
    scheme: str = ""
    url: str = ""
    description: str = ""
    disabled: bool = False
    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    untrusted: str = "none"
    expires: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What to change in a connection; None and absent keys mean: leave as it is. An empty value removes a field."""

    name: str | None = None
    description: str | None = None
    scheme: str | None = None
    url: str | None = None
    disabled: bool | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    untrusted: str | None = None
    expires: str | None = None
