"""Log text made safe for a screen: nothing that a step prints may steer the terminal.

Escape sequences go (colours stay where they are wanted), control characters go, and a carriage return becomes a line
break, so that overwritten text can hide nothing. A sequence that never ends loses its introducer only.
"""

from __future__ import annotations

import functools
import re
from typing import Final

_CONTROLS: Final = bytes(code for code in range(32) if code not in b"\t\n") + b"\x7f"
_SUSPECT_BYTES: Final = (b"\xc2", b"\xe2\x80", b"\xe2\x81")
"""How C1 controls (U+0080..9F) and the characters that reorder a line (U+202A..2E, U+2066..69) begin in UTF-8."""

_SUSPECT: Final = re.compile("[\x80-\x9f\u202a-\u202e\u2066-\u2069]")
# Every alternative is linear: no character class overlaps the one after it.
_SEQUENCE: Final = re.compile(
    r"(?P<colour>\x1b\[[0-9;:]*m)"
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\n\r\x07\x1b\x80-\x9f]*(?:\x07|\x1b\\|\x9c)"  # OSC, DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-~]"
    r"|(?P<leading>(?<![^\n])\r+(?!\n))"
    r"|(?P<return>\r+\n?)"
    "|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]"
)
_COLOUR: Final = re.compile(r"\x1b\[[0-9;:]*m")
_COLOUR_BYTES: Final = re.compile(rb"\x1b\[[0-9;:]*m")
_COLOURED_LINE: Final = re.compile(r"(\x1b[^\n]*)\n")
_RESET: Final = "\x1b[0m"
_LONGEST_COLOUR: Final = 48


def plain(data: bytes) -> str:
    """Log text without any escape sequence or control character."""
    decoded = _clean(data)
    if decoded is None and b"\x1b[" in data:  # mostly it is colours alone, which a quicker search takes out
        data = _COLOUR_BYTES.sub(b"", data)
        decoded = _clean(data)
    return _SEQUENCE.sub(_drop, _decode(data)) if decoded is None else decoded


def coloured(data: bytes) -> str:
    """Log text whose only escape sequences are colours, reset at the end of each line."""
    if (decoded := _clean(data)) is not None:
        return decoded
    if _clean(_COLOUR_BYTES.sub(b"", data)) is not None:
        text = _COLOUR.sub(_keep_colour, _decode(data))
    else:
        text = _SEQUENCE.sub(_keep_any, _decode(data))
    return _COLOURED_LINE.sub(rf"\1{_RESET}\n", text) if "\x1b" in text else text


def one_line(text: str) -> str:
    """A name or a message as one line, for places where a line has a meaning."""
    return " ".join(plain(text.encode(errors="replace")).split())


def _clean(data: bytes) -> str | None:
    """The text when it holds nothing to take out: the common case, which has to be quick."""
    if len(data.translate(None, _CONTROLS)) != len(data):
        return None
    if data.isascii():
        return data.decode("ascii")
    text = _decode(data)
    suspect = any(start in data for start in _SUSPECT_BYTES) and _SUSPECT.search(text)
    return None if suspect else text


def _decode(data: bytes) -> str:
    return data.decode(errors="replace")


def _drop(match: re.Match[str]) -> str:
    return "\n" if match["return"] else ""


def _keep_colour(match: re.Match[str]) -> str:
    return _visible(match[0])


def _keep_any(match: re.Match[str]) -> str:
    if match["return"]:
        return "\n"
    return _visible(match["colour"]) if match["colour"] else ""


@functools.lru_cache(maxsize=512)
def _visible(colour: str) -> str:
    """A colour sequence without blinking and without concealing, which would hide text."""
    if len(colour) > _LONGEST_COLOUR:
        return ""
    given = colour[2:-1].split(";")
    kept: list[str] = []
    position = 0
    while position < len(given):
        size = _operands(given, position)
        if given[position].lstrip("0") not in {"5", "6", "8"}:
            kept += given[position : position + size]
        position += size
    return f"\x1b[{';'.join(kept)}m" if kept else ""


def _operands(given: list[str], position: int) -> int:
    """How many parameters belong together: `38;5;n` and `38;2;r;g;b` are one."""
    if given[position] not in {"38", "48", "58"}:
        return 1
    kind = given[position + 1] if position + 1 < len(given) else ""
    return {"5": 3, "2": 5}.get(kind, 1)
