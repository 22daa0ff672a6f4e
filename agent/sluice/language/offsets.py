"""From an offset in a text to its line and column in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.errors import Location

if TYPE_CHECKING:
    from sluice.language.tree import Scalar


def place_of(node: Scalar, offset: int) -> Location:
    """Where a character of a text stands; the start of the text where the file writes it in another way.

    Texts in one line and literal blocks (`|`) are followed; folded and escaped ones are not.
    """
    lines = node.source.lines
    if node.line > len(lines):
        return node.where
    written = lines[node.line - 1][node.column - 1 :]
    for skipped in (0, 1):  # without and with a quotation mark before it
        if written[skipped:].startswith(node.value):
            return Location(node.source.name, node.line, node.column + skipped + offset)
    if written.startswith("|"):
        return _in_block(node, lines, offset)
    return node.where


def _in_block(node: Scalar, lines: list[str], offset: int) -> Location:
    before = node.value[:offset].split("\n")
    wanted = node.value.split("\n")[len(before) - 1]
    number = node.line + len(before)
    line = lines[number - 1] if number <= len(lines) else ""
    if not line.endswith(wanted) or line[: len(line) - len(wanted)].strip():
        return node.where
    return Location(node.source.name, number, len(line) - len(wanted) + len(before[-1]) + 1)
