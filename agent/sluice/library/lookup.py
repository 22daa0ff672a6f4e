"""Finds variable groups: the one resolver of names and ids."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sluice.connections.catalogue import nearest
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.errors import NotFoundError, SealError
from sluice.library.group import VariableGroup
from sluice.rights import Right
from sluice.storage import variable_groups as rows
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, is_guid
from sluice.storage.permissions import VARIABLE_GROUP, Resource

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_SAME = tuple(
    name for name in rows.PublicRow.__slots__ if name not in {"variables", "secret_names", "secret_references"}
)


def find(transaction: Transaction, project_id: int, name: str) -> VariableGroup | None:
    """The variable group that a name or an id means in a project.

    Ids ignore case; names ignore case and blanks around them, and are otherwise the same text (NFC) or not the same.
    Whatever the spelling, authorization is asked for the id that comes out.
    """
    if is_guid(name):
        row = rows.by_id(transaction, project_id, name.strip().lower())
    else:
        row = rows.by_name(transaction, project_id, name)
    return to_group(row) if row else None


def get(transaction: Transaction, project_id: int, name: str, guard: Guard = UNRESTRICTED) -> VariableGroup:
    """As `find`; raises `NotFoundError` with the nearest name when there is none, or none that the person sees."""
    found = find(transaction, project_id, name)
    if found and guard.allows(transaction, Right.SEE, Resource(project_id, found.id, VARIABLE_GROUP)):
        return found
    seen = guard.seen(transaction, project_id, VARIABLE_GROUP)
    known = [row.name for row in rows.listed(transaction, project_id) if seen(row.id)]
    hint = nearest(name, known, otherwise="see 'sluice variable-group list'")
    raise NotFoundError(f"there is no variable group '{clean_name(name)}'", do=hint)


def listed(transaction: Transaction, project_id: int, guard: Guard = UNRESTRICTED) -> tuple[VariableGroup, ...]:
    """The variable groups of a project that the person sees, by name."""
    seen = guard.seen(transaction, project_id, VARIABLE_GROUP)
    return tuple(to_group(row) for row in rows.listed(transaction, project_id) if seen(row.id))


def to_group(row: rows.PublicRow) -> VariableGroup:
    """A stored row as the value that everybody sees; raises `SealError` when somebody edited it into nonsense."""
    try:
        return VariableGroup(
            **{name: getattr(row, name) for name in _SAME},
            variables=_texts(json.loads(row.variables)),
            secrets=frozenset(_texts(dict.fromkeys(json.loads(row.secret_names), ""))),
            references=_texts(json.loads(row.secret_references)),
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise SealError(
            f"the variable group '{row.name}' cannot be read",
            why="its record was changed outside of Sluice",
            do="restore the database from a backup",
        ) from error


def to_row(group: VariableGroup) -> rows.PublicRow:
    """The row that a variable group is stored as."""
    return rows.PublicRow(
        **{name: getattr(group, name) for name in _SAME},
        variables=_CANONICAL.encode(dict(group.variables)),
        secret_names=_CANONICAL.encode(sorted(group.secrets)),
        secret_references=_CANONICAL.encode(dict(group.references)),
    )


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    found = dict(values.items())
    if not all(isinstance(text, str) for pair in found.items() for text in pair):
        raise TypeError("a value is no text")
    return found
