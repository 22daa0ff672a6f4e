"""Arguments written as one text, split as the task library of Azure Pipelines does it."""

from __future__ import annotations


def split_arguments(text: str) -> list[str]:
    """Split at blanks outside double quotes, within which a quote is written after a backslash. Line ends are blanks."""
    found: list[str] = []
    current: list[str] = []
    begun = quoted = escaped = False
    for letter in text.replace("\r", " ").replace("\n", " "):
        if escaped:
            current.append(letter if letter == '"' else f"\\{letter}")
            escaped = False
        elif letter == '"':
            quoted, begun = not quoted, True
        elif letter == "\\" and quoted:
            escaped = True
        elif letter == " " and not quoted:
            if begun or current:
                found.append("".join(current))
            current, begun = [], False
        else:
            current.append(letter)
    if escaped:
        current.append("\\")
    if begun or current:
        found.append("".join(current))
    return found
