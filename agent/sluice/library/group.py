"""A stored variable group as everybody may see it: no secrets, only which of them are set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from sluice.secret import Secret
from sluice.values import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class VariableGroup:
    """A variable group of a project, without its secrets.

    `variables` are the public ones, `secrets` the names of those whose values are stored (sealed), `references` the
    ones that are read elsewhere at each use. A name is in one of the three only. `version` grows with every change.
    `number` is its id in the REST interface (0 before it is stored). Times are seconds since the epoch.
    """

    number: int = 0
    id: str
    project_id: int
    name: str
    description: str
    version: int
    variables: Mapping[str, str]
    secrets: frozenset[str]
    references: Mapping[str, str]
    created_by: str
    created_at: float
    modified_by: str
    modified_at: float

    def names(self) -> tuple[str, ...]:
        """The names of all variables, sorted."""
        return tuple(sorted({*self.variables, *self.secrets, *self.references}, key=str.casefold))


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupDraft:
    """A variable group as a person enters it.

    `secrets` are to be sealed, `references` to be stored as written (`env:NAME`, `file:/path`, or a plugin's).
    """

    name: str
    description: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupUpdate:
    """What to change in a variable group; None and absent names mean: leave as it is. `unset` ones are removed first."""

    name: str | None = None
    description: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    references: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedGroup:
    """A variable group as a job gets it: every variable, the secret ones as `Secret`."""

    id: str
    name: str
    variables: Mapping[str, str | Secret]
