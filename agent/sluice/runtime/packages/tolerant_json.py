"""JSON as the field's own parser takes it: with a byte-order mark, comments and trailing commas. Bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sluice.errors import SluiceError, UsageError

MAX_BYTES = 4 << 20
"""The longest manifest that is read; real ones stay far below a tenth of it."""

# A string or comment that never ends matches up to the end: no second look at the same text.
_STRING = r'"(?:[^"\\]|\\.)*(?:"|\Z)'
_COMMENTS = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?(?:\*/|\Z)", re.DOTALL)
_COMMAS = re.compile(rf"{_STRING}|,(?=\s*[}}\]])", re.DOTALL)


def read_json(path: Path, *, what: str) -> Mapping[str, Any]:
    """The object in a file; raises `UsageError` that calls the file `what` when there is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"the {what} cannot be read", where=str(path), why=error.strerror or "") from error
    return parse_json(raw, where=str(path), what=what)


def parse_json(raw: bytes, *, where: str, what: str) -> Mapping[str, Any]:
    """The object in these bytes; raises `UsageError` when there is none."""
    if len(raw) > MAX_BYTES:
        raise UsageError(f"the {what} is too big", where=where, why=f"more than {MAX_BYTES >> 20} MiB")
    try:
        value = _load(_decode(raw))
    except (ValueError, RecursionError) as error:
        raise _invalid(what, where, error) from None
    if not isinstance(value, dict):
        raise UsageError(f"the {what} is invalid", where=where, why="it holds no JSON object")
    return value


def field(values: Mapping[str, Any], name: str) -> Any:
    """The value of a key, ignoring case; None when it is missing. The exact spelling wins."""
    if name in values:
        return values[name]
    wanted = name.lower()
    return next((value for key, value in values.items() if key.lower() == wanted), None)


def text_of(value: Any) -> str:
    """A scalar as text, as the field's parser reads a string from any of them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, str | int | float) else ""


def _decode(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16")
    return raw.decode("utf-8-sig")


def _load(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return json.loads(_COMMAS.sub(_keep_string(""), _COMMENTS.sub(_keep_string(" "), text)))


def _keep_string(other: str) -> Any:
    return lambda match: match[0] if match[0].startswith('"') else other


def _invalid(what: str, where: str, error: Exception) -> SluiceError:
    if isinstance(error, json.JSONDecodeError):
        return UsageError(f"the {what} is invalid", where=f"{where}:{error.lineno}:{error.colno}", why=error.msg)
    if isinstance(error, UnicodeDecodeError):
        return UsageError(f"the {what} is invalid", where=where, why="it is not UTF-8 text")
    why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
    return UsageError(f"the {what} is invalid", where=where, why=why)
