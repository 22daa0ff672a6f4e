"""Finds connections: the one resolver of names and ids, and the chain of connections that one goes through."""

from __future__ import annotations

import json
from collections.abc import Mapping

from sluice.connections import references
from sluice.connections.catalogue import Catalogue, fields_of, nearest
from sluice.connections.connection import ConnectionRecord, Key
from sluice.connections.guard import UNRESTRICTED, Guard
from sluice.errors import ConnectionInvalidError, NotFoundError, SealError
from sluice.rights import Right
from sluice.storage import connections as rows
from sluice.storage import removed
from sluice.storage.engine import Transaction
from sluice.storage.names import clean_name, is_guid
from sluice.storage.permissions import ENDPOINT, Resource

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))

REFERENCE_LINK = "secret "
"""Before the key of a secret field, in `links`: what its reference is read through."""

MAX_LINKS = 16
"""How many connections one may go through; more is a mistake or an attack on memory."""

_SAME = tuple(
    name
    for name in rows.PublicRow.__slots__
    if name not in {"disabled", "parameters", "data", "secret_names", "secret_references"}
)


def find(transaction: Transaction, project_id: int, name: str) -> ConnectionRecord | None:
    """The connection that a name or an id means in a project.

    Ids ignore case; names ignore case and blanks around them, and are otherwise the same text (NFC) or not the same.
    Whatever the spelling, authorization is asked for the id that comes out.
    """
    if is_guid(name):
        row = rows.by_id(transaction, project_id, name.strip().lower())
    else:
        row = rows.by_name(transaction, project_id, name)
    return to_record(row) if row else None


def seen(transaction: Transaction, project_id: int, name: str, guard: Guard) -> ConnectionRecord | None:
    """As `find`; None also for one that the person does not see."""
    found = find(transaction, project_id, name)
    if found and guard.allows(transaction, Right.SEE, Resource(project_id, found.id)):
        return found
    return None


def get(transaction: Transaction, project_id: int, name: str, guard: Guard = UNRESTRICTED) -> ConnectionRecord:
    """As `find`; raises `NotFoundError` with the nearest name when there is none, or none that the person sees."""
    if found := seen(transaction, project_id, name, guard):
        return found
    sees = guard.seen(transaction, project_id, ENDPOINT)
    known = [row.name for row in rows.listed(transaction, project_id) if sees(row.id)]
    hint = nearest(name, known, otherwise="see 'sluice connection list'")
    raise NotFoundError(f"there is no service connection '{clean_name(name)}'", do=hint)


def id_of(transaction: Transaction, project_id: int, name: str, guard: Guard = UNRESTRICTED) -> tuple[str, bool]:
    """The id of a connection, and whether it is deleted: its uses and audit entries stay. Raises `NotFoundError`."""
    if find(transaction, project_id, name) is None:
        gone = removed.newest_id(transaction, project_id, name)
        if gone and guard.allows(transaction, Right.SEE, Resource(project_id, gone)):
            return gone, True
    return get(transaction, project_id, name, guard).id, False


def nearest_name(transaction: Transaction, project_id: int, name: str) -> str:
    """The existing name that is most like the one written, '' when none is."""
    import difflib

    by_key = {one.casefold(): one for one in rows.names(transaction, project_id)}
    near = difflib.get_close_matches(name.casefold(), by_key, n=1)
    return by_key[near[0]] if near else ""


def listed(transaction: Transaction, project_id: int, guard: Guard = UNRESTRICTED) -> tuple[ConnectionRecord, ...]:
    """The connections of a project that the person sees, by name."""
    sees = guard.seen(transaction, project_id, ENDPOINT)
    return tuple(to_record(row) for row in rows.listed(transaction, project_id) if sees(row.id))


def chain(transaction: Transaction, record: ConnectionRecord, catalogue: Catalogue) -> tuple[ConnectionRecord, ...]:
    """A connection and all those that it goes through, each once, itself first.

    Raises `NotFoundError` when one is missing and `ConnectionInvalidError` when they go round in a circle.
    """
    found: dict[str, ConnectionRecord] = {}
    _collect(transaction, record, catalogue, found, ())
    return tuple(found.values())


def refuse_hidden_link(transaction: Transaction, record: ConnectionRecord, key: str, name: str, guard: Guard) -> None:
    """Raise, as if it did not exist, when the person does not see the connection that a field names."""
    linked = find(transaction, record.project_id, name)
    if linked and not guard.allows(transaction, Right.SEE, Resource(linked.project_id, linked.id)):
        raise _missing_link(record, key, name)


def _missing_link(record: ConnectionRecord, key: str, name: str) -> NotFoundError:
    return NotFoundError(
        f"the service connection '{name}' does not exist",
        where=f"field '{key}' of '{record.name}'",
        do="see 'sluice connection list'",
    )


def links(record: ConnectionRecord, catalogue: Catalogue) -> Mapping[str, str]:
    """The names of other connections that a connection holds, by data key.

    Those that its secret references are read through are among them, by key with `REFERENCE_LINK` before it.
    """
    named = {
        f"{REFERENCE_LINK}{key}": name
        for (_, key), reference in record.references.items()
        if (name := references.through(reference))
    }
    kind = catalogue.find(record.type)
    if kind is None:
        return named
    values = record.values()
    fields = fields_of(kind, kind.scheme(record.scheme) if record.scheme else None)
    return named | {
        key[1]: values[key] for key, field in fields.items() if field.kind == "connection" and values.get(key)
    }


def cautions(record: ConnectionRecord, catalogue: Catalogue) -> str:
    """What whoever permits a use of the connection is told about it; `''` for nothing."""
    kind = catalogue.find(record.type)
    if kind is None:
        return ""
    values = record.values()
    fields = fields_of(kind, kind.scheme(record.scheme) if record.scheme else None)
    told = [
        field.caution for key, field in fields.items() if field.caution and values.get(key, "").casefold() == "true"
    ]
    return "; ".join(told)


def _collect(
    transaction: Transaction,
    record: ConnectionRecord,
    catalogue: Catalogue,
    found: dict[str, ConnectionRecord],
    path: tuple[ConnectionRecord, ...],
) -> None:
    if any(one.id == record.id for one in path):
        names = " -> ".join(f"'{one.name}'" for one in (*path, record))
        raise ConnectionInvalidError(f"the connections go round in a circle: {names}")
    if len(path) >= MAX_LINKS or len(found) > MAX_LINKS:
        raise ConnectionInvalidError(f"'{record.name}' goes through more than {MAX_LINKS} connections")
    if record.id in found:
        return
    found[record.id] = record
    for key, name in links(record, catalogue).items():
        linked = find(transaction, record.project_id, name)
        if linked is None:
            raise _missing_link(record, key, name)
        _collect(transaction, linked, catalogue, found, (*path, record))


def to_record(row: rows.PublicRow) -> ConnectionRecord:
    """A stored row as the value that everybody sees; raises `SealError` when somebody edited it into nonsense."""
    try:
        columns = {name: getattr(row, name) for name in _SAME}
        return ConnectionRecord(
            **columns,
            disabled=bool(row.disabled),
            parameters=_texts(json.loads(row.parameters)),
            data=_texts(json.loads(row.data)),
            secrets=frozenset(_keys(json.loads(row.secret_names))),
            references=_placed(json.loads(row.secret_references)),
        )
    except (ValueError, AttributeError, TypeError) as error:
        raise SealError(
            f"the service connection '{row.name}' cannot be read",
            why="its record was changed outside of Sluice",
            do="restore the database from a backup",
        ) from error


def to_row(record: ConnectionRecord) -> rows.PublicRow:
    """The row that a record is stored as."""
    placed: dict[str, dict[str, str]] = {}
    for (place, key), value in record.references.items():
        placed.setdefault(place, {})[key] = value
    names: dict[str, list[str]] = {}
    for place, key in sorted(record.secrets):
        names.setdefault(place, []).append(key)
    return rows.PublicRow(
        **{name: getattr(record, name) for name in _SAME},
        disabled=record.disabled,
        parameters=_json(dict(record.parameters)),
        data=_json(dict(record.data)),
        secret_names=_json(names),
        secret_references=_json(placed),
    )


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    found = dict(values.items())
    if not all(isinstance(value, str) for value in found.values()):
        raise TypeError("a value is no text")
    return found


def _json(value: Mapping[str, object]) -> str:
    return _CANONICAL.encode(value) if value else "{}"


def _keys(names: Mapping[str, list[str]]) -> list[Key]:
    found: list[Key] = [("parameters", key) for key in names.get("parameters", ())]
    found.extend(("data", key) for key in names.get("data", ()))
    return found


def _placed(values: Mapping[str, Mapping[str, str]]) -> dict[Key, str]:
    found: dict[Key, str] = {("parameters", key): value for key, value in _texts(values.get("parameters", {})).items()}
    found.update({("data", key): value for key, value in _texts(values.get("data", {})).items()})
    return found
