"""An expanded pipeline as YAML text: the same tree always gives the same text, and the text is a pipeline again."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sluice.language.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.language.tree import Node

# Texts that mean the same without quotes whichever YAML reader reads them
_PLAIN = re.compile(r"[A-Za-z_./$(][A-Za-z0-9_./$()@=+,;~^ \\-]*\Z")
_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n", ""})
_BLOCK = re.compile(r"(?!\s)[^\r\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff\ufffe\uffff]*\n?\Z")


def format_tree(node: Node) -> str:
    """The tree as block-style YAML; a `${{` that is left in a text is written so that it stays one."""
    return "".join(f"{line}\n" if line else "\n" for line in _lines(node))


def _lines(node: Node) -> Iterator[str]:
    if type(node) is Mapping and node.pairs:
        for key, value in node.pairs:
            yield from _below(f"{_scalar(key.value)}:", value, "  ")
    elif type(node) is Sequence and node.items:
        for item in node.items:
            if type(item) is Scalar:
                yield from _below("-", item, "  ")
                continue
            first, *rest = _lines(item)
            yield f"- {first}"
            yield from (f"  {line}" if line else "" for line in rest)
    else:
        yield _empty(node)


def _empty(node: Node) -> str:
    if type(node) is Scalar:
        return _scalar(node.value)
    return "{}" if type(node) is Mapping else "[]"


def _below(start: str, value: Node, indent: str) -> Iterator[str]:
    """A value behind its key or dash."""
    if type(value) is Scalar:
        if (
            "\n" in value.value
            and "${{" not in value.value
            and _BLOCK.match(value.value)
            and not _trailing(value.value)
        ):
            yield f"{start} |" if value.value.endswith("\n") else f"{start} |-"
            lines = value.value.removesuffix("\n").split("\n")
            yield from (f"{indent}{line}" if line else "" for line in lines)
        else:
            yield f"{start} {_scalar(value.value)}"
    elif (type(value) is Mapping and value.pairs) or (type(value) is Sequence and value.items):
        yield start
        flush = type(value) is Sequence and start != "-"
        yield from (line if flush or not line else f"{indent}{line}" for line in _lines(value))
    else:
        yield f"{start} {_empty(value)}"


def _trailing(text: str) -> bool:
    """Whether a block would not keep the line breaks at the end."""
    return text.endswith("\n\n")


def _scalar(text: str) -> str:
    if "${{" in text:
        quoted = text.replace("'", "''")
        text = f"${{{{ '{quoted}' }}}}"
    elif _PLAIN.match(text) and text.casefold() not in _WORDS and not text.endswith(" "):
        return text
    if text.isprintable():
        doubled = text.replace("'", "''")
        return f"'{doubled}'"
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return f"\\{letter}"
    if letter.isprintable():
        return letter
    code = ord(letter)
    if code == ord("\n"):
        return "\\n"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
