"""The audit log as lines of JSON, and back: plain entries, or CloudEvents 1.0 with the entry as their data.

Each line has what its link of the chain is made of, so that a file can be checked without the database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from sluice.errors import UsageError
from sluice.storage.audit import ORIGIN, describe
from sluice.storage.chain import Entry, Head, Link

SOURCE = "/sluice/audit"
MAX_LINE_BYTES = 16 * 1024 * 1024

_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))
_LINE = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_NAMES = {
    "sequence": "sequence",
    "at": "at",
    "actor": "actor",
    "action": "actionId",
    "category": "category",
    "project_id": "projectId",
    "resource_id": "resourceId",
    "resource_version": "resourceVersion",
}


def record(link: Link) -> dict[str, Any]:
    """An entry with its place in the chain, as data. `details` is a text where it is no JSON as Sluice writes it."""
    entry = link.entry
    found: dict[str, Any] = {name: getattr(entry, field) for field, name in _NAMES.items()}
    details = _parsed(entry.details)
    found["details"] = entry.details if details is None else details
    found["text"] = describe(entry)
    return {**found, "previous": link.previous, "hash": link.hash}


def cloud_event(link: Link) -> dict[str, Any]:
    """An entry as a CloudEvent in structured mode."""
    entry = link.entry
    details = _parsed(entry.details) or {}
    event = {
        "specversion": "1.0",
        "id": str(entry.sequence),
        "source": SOURCE,
        "type": f"sluice.{entry.action}" if not entry.action.startswith("Sluice.") else f"sluice.{entry.action[7:]}",
        "time": datetime.fromtimestamp(entry.at, UTC).isoformat().replace("+00:00", "Z"),
        "subject": entry.resource_id,
        "datacontenttype": "application/json",
        "sequence": f"{entry.sequence:018d}",
        "actor": entry.actor,
        "host": str(details.get(ORIGIN, {}).get("host", "")) if isinstance(details.get(ORIGIN), dict) else "",
    }
    return {**{name: value for name, value in event.items() if value}, "data": record(link)}


FORMATS: Mapping[str, Callable[[Link], dict[str, Any]]] = {"jsonl": record, "cloudevents": cloud_event}
"""What makes a line's data of an entry, by the name of the format."""


def line(link: Link, form: str) -> str:
    """An entry as one line."""
    return _LINE.encode(FORMATS[form](link))


def read_links(lines: Iterable[bytes], differs: Callable[[int], None]) -> Iterator[Link]:
    """The entries of a file that `line` wrote, in either format; raises `UsageError` for a line that is none.

    `differs` is told the sequence of an entry whose line says something else beside it (its sentence, the attributes of
    a CloudEvent) than the entry does: the chain holds the entry alone.
    """
    for number, raw in enumerate(lines, start=1):
        if raw.strip():
            found, link = _link(number, raw)
            if found != FORMATS["cloudevents" if "specversion" in found else "jsonl"](link):
                differs(link.entry.sequence)
            yield link


def start_of(first: Link) -> Head:
    """The end of the chain before a file whose first entry this is."""
    return Head(first.entry.sequence - 1, first.previous)


def _link(number: int, raw: bytes) -> tuple[dict[str, Any], Link]:
    """What a line says, and the entry in it."""
    if len(raw) > MAX_LINE_BYTES:
        raise UsageError(f"line {number} is longer than {MAX_LINE_BYTES // 2**20} MiB")
    try:
        whole = json.loads(raw, object_pairs_hook=_once_each)
        found = whole["data"] if "specversion" in whole else whole
        details = found["details"]
        values = {field: found[name] for field, name in _NAMES.items()}
        entry = Entry(**values, details=details if isinstance(details, str) else _CANONICAL.encode(details))
        link = Link(entry, found["previous"], found["hash"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(
            f"line {number} is no entry of an audit log",
            why="it is no JSON, or names something twice"
            if isinstance(error, ValueError)
            else "something of it is missing",
            do="give a file that 'sluice audit export' wrote",
        ) from error
    if not all(_fits(link, field) for field in Entry.__slots__) or not _are_texts(link.previous, link.hash):
        raise UsageError(f"line {number} is no entry of an audit log", why="a value is of another type")
    return whole, link


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; raises `ValueError` for a name that is there twice: readers differ in which one they take."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is there twice")
    return found


def _fits(link: Link, field: str) -> bool:
    value = getattr(link.entry, field)
    if field == "at":
        return isinstance(value, float)
    number = field in {"sequence", "project_id", "resource_version"}
    return isinstance(value, int if number else str) and not isinstance(value, bool)


def _are_texts(*values: object) -> bool:
    return all(isinstance(value, str) for value in values)


def _parsed(details: str) -> dict[str, Any] | None:
    try:
        found = json.loads(details)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and _CANONICAL.encode(found) == details else None
