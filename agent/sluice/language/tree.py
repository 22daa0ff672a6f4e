"""The tree of a YAML file: scalars stay text, and every node knows the place where it was written."""

from __future__ import annotations

import re
from typing import TypeAlias, final

from sluice.errors import Location

SELF = "self"
_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")


@final
class Source:
    """A file that a pipeline was read from.

    `repository` is the alias of the repository resource, `self` for that of the entry file; `path` is relative to its
    root. `name` is what places call the file, `text` what was read.
    """

    __slots__ = ("_lines", "name", "path", "repository", "text")

    def __init__(self, path: str, repository: str = SELF) -> None:
        self.path = path
        self.repository = repository
        self.name = path if repository == SELF else f"{path}@{repository}"
        self.text = ""
        self._lines: list[str] | None = None

    @property
    def lines(self) -> list[str]:
        """The lines of the text, as YAML counts them."""
        if self._lines is None:
            self._lines = _BREAK.split(self.text)
        return self._lines


@final
class Scalar:
    """A text. Lines and columns count from 1; `dynamic` means that template expansion has to look at it."""

    __slots__ = ("column", "dynamic", "line", "source", "value")

    def __init__(self, value: str, line: int, column: int, source: Source, dynamic: bool = False) -> None:
        self.value = value
        self.line = line
        self.column = column
        self.source = source
        self.dynamic = dynamic

    @property
    def where(self) -> Location:
        return Location(self.source.name, self.line, self.column)


@final
class Sequence:
    """A list of nodes; `dynamic` when something inside it is; `cached` is its expression value."""

    __slots__ = ("cached", "column", "dynamic", "items", "line", "source")

    def __init__(self, items: list[Node], line: int, column: int, source: Source, dynamic: bool = False) -> None:
        self.items = items
        self.line = line
        self.column = column
        self.source = source
        self.dynamic = dynamic
        self.cached: object = None

    @property
    def where(self) -> Location:
        return Location(self.source.name, self.line, self.column)


@final
class Mapping:
    """Pairs in the order of the file; a key that is no expression occurs once. `dynamic` as for `Sequence`."""

    __slots__ = ("cached", "column", "dynamic", "line", "pairs", "source")

    def __init__(self, pairs: list[Pair], line: int, column: int, source: Source, dynamic: bool = False) -> None:
        self.pairs = pairs
        self.line = line
        self.column = column
        self.source = source
        self.dynamic = dynamic
        self.cached: object = None

    @property
    def where(self) -> Location:
        return Location(self.source.name, self.line, self.column)

    def get(self, key: str) -> Node | None:
        """The value of that key, spelt exactly so."""
        for name, value in self.pairs:
            if name.value == key:
                return value
        return None


Node: TypeAlias = Scalar | Sequence | Mapping
Pair: TypeAlias = tuple[Scalar, Node]


def kind_of(node: Node) -> str:
    """What a person calls the node."""
    if type(node) is Mapping:
        return "a mapping"
    return "a sequence" if type(node) is Sequence else "a text"


def is_empty(node: Node) -> bool:
    """Whether nothing was written: `key:` alone, or an empty text."""
    return type(node) is Scalar and not node.value


def children(node: Node) -> list[Node]:
    """The nodes just below, keys among them."""
    if type(node) is Mapping:
        return [each for pair in node.pairs for each in pair]
    return node.items if type(node) is Sequence else []


def first_dynamic(node: Node) -> Node:
    """The first text in the node that expansion has to look at."""
    while type(node) is not Scalar:
        found = next((each for each in children(node) if each.dynamic), None)
        if found is None:
            break
        node = found
    return node
