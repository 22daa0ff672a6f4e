"""Reads a YAML file into a tree that keeps positions, over the events of libyaml.

What the service refuses is refused here too: anchors, aliases, complex keys, sets, duplicate keys, several documents.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import yaml
from yaml.cyaml import CParser  # type: ignore[attr-defined] # its stubs do not list what it re-exports
from yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from sluice.errors import Location, PipelineError, Problem
from sluice.language.tree import Mapping, Scalar, Sequence

if TYPE_CHECKING:
    from sluice.language.problems import Problems
    from sluice.language.tree import Node, Source

MAX_BYTES = 20_000_000
MAX_DEPTH = 100
MAX_NODES = 1_000_000
_NULLS = frozenset({"null", "Null", "NULL", "~"})
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq"))


def load(source: Source, content: str | bytes, problems: Problems) -> Node | None:
    """The tree of a file, or None when it is empty.

    Text that is no YAML at all raises `PipelineError`; what can be told beside other mistakes goes to `problems`.
    """
    text = source.text = _decode(source, content)
    try:
        return _Loader(source, text, problems).load()
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(source, text, error) from error
    except yaml.reader.ReaderError as error:
        raise PipelineError([_bad_character(source, text, error)]) from error


def _decode(source: Source, content: str | bytes) -> str:
    if len(content) > MAX_BYTES:
        raise PipelineError([Problem(f"the file is larger than {MAX_BYTES // 1_000_000} MB", Location(source.name))])
    if isinstance(content, str):
        good = content.encode("utf-8", "ignore").decode("utf-8")
        if len(good) != len(content):
            at = next(index for index, letter in enumerate(content) if "\ud800" <= letter <= "\udfff")
            raise _not_utf8(source, content[:at])
        text = content
    else:
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise _not_utf8(source, content[: error.start].decode("utf-8")) from error
    return text.removeprefix("\ufeff")


def _not_utf8(source: Source, before: str) -> PipelineError:
    where = Location(source.name, before.count("\n") + 1, len(before) - before.rfind("\n"))
    return PipelineError([Problem("the file is not valid UTF-8", where, "save it as UTF-8")])


def _bad_character(source: Source, text: str, error: yaml.reader.ReaderError) -> Problem:
    at = next((index for index, letter in enumerate(text) if not letter.isprintable() and letter not in "\t\r\n"), 0)
    before = text[:at]
    where = Location(source.name, before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Problem(f"the file holds a character that YAML does not allow ({error.reason})", where, "remove it")


def _syntax_error(source: Source, text: str, error: yaml.MarkedYAMLError) -> PipelineError:
    mark = error.problem_mark or error.context_mark
    what = f"not valid YAML: {error.problem or error.context}"
    if error.context and error.problem:
        start = error.context_mark
        begun = (
            f", from line {start.line + 1}"
            if start is not None and mark is not None and start.line != mark.line
            else ""
        )
        what += f" ({error.context}{begun})"
    if mark is None:
        return PipelineError([Problem(what, Location(source.name))])
    where = Location(source.name, mark.line + 1, mark.column + 1)
    lines = text.splitlines()
    line = lines[mark.line] if mark.line < len(lines) else ""
    advice = ""
    if "\t" in line[: mark.column + 1]:
        advice = "indent with spaces, YAML does not allow tabs there"
    elif line[mark.column : mark.column + 1] in {"@", "%", "`"} or "mapping values" in what:
        advice = "put quotes around the text"
    return PipelineError([Problem(what, where, advice)])


class _Loader:
    """Builds the tree of one file."""

    def __init__(self, source: Source, text: str, problems: Problems) -> None:
        self._source = source
        self._problems = problems
        self._text = text

    def load(self) -> Node | None:
        parser = CParser(self._text)
        try:
            return self._build(parser)
        finally:
            parser.dispose()

    def _build(self, parser: CParser) -> Node | None:
        # The inner loop of a compilation: a 10,000-step file has 130,000 events, so it is one flat function.
        # A container is attached to the one around it as soon as it opens; `around` holds those that are open.
        next_event = parser.get_event
        source = self._source
        document = Sequence([], 1, 1, source)
        current: Mapping | Sequence = document
        around: list[Mapping | Sequence] = []
        key: Scalar | None = None
        text = ""
        count = 0
        node: Node
        while True:
            event: Any = next_event()  # typed too loosely by its stubs
            kind = type(event)
            if kind is ScalarEvent:
                mark = event.start_mark
                text = event.value
                if text in _NULLS and event.implicit[0]:
                    text = ""
                node = Scalar(text, mark.line + 1, mark.column + 1, source, "${{" in text)
                if event.anchor is not None or event.tag is not None:
                    self._check_properties(event, node)
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                if type(current) is Mapping:
                    self._check_keys(current)
                outer = around.pop()
                if current.dynamic:
                    outer.dynamic = True
                current = outer
                continue
            elif kind is MappingStartEvent or kind is SequenceStartEvent:
                mark = event.start_mark
                container = Mapping if kind is MappingStartEvent else Sequence
                node = container([], mark.line + 1, mark.column + 1, source)
                if event.anchor is not None or event.tag is not None:
                    self._check_properties(event, node)
            elif kind is AliasEvent:
                node = self._alias(event)
            elif kind is StreamEndEvent or (kind is DocumentStartEvent and document.items):
                if kind is DocumentStartEvent:
                    self._problems.add("a file holds one YAML document, here starts another", self._empty(event))
                return document.items[0] if document.items else None
            else:
                continue
            if type(current) is Sequence:
                current.items.append(node)
            elif key is not None:
                current.pairs.append((key, node))
                key = None
            elif type(node) is Scalar:
                key = node
                if text == "template":  # makes an item an inclusion, so expansion has to see it
                    current.dynamic = True
                elif text == "<<":
                    self._problems.add("YAML merge keys (<<) are not supported", node, do="write the keys out")
            else:
                raise PipelineError([Problem("a key has to be a text", node.where)])
            count += 1
            if type(node) is not Scalar:
                around.append(current)
                current = node
                self._check_limits(node, len(around), count)
            elif node.dynamic:
                current.dynamic = True
            elif count > MAX_NODES:
                self._check_limits(node, 0, count)

    def _empty(self, event: Any) -> Scalar:
        return Scalar("", event.start_mark.line + 1, event.start_mark.column + 1, self._source)

    def _alias(self, event: AliasEvent) -> Scalar:
        """What stands for an alias, which is a problem."""
        node = self._empty(event)
        self._problems.add(f"YAML aliases (*{event.anchor}) are not supported", node, do="write the value out")
        self._problems.broken(node)
        return node

    def _check_limits(self, node: Node, depth: int, count: int) -> None:
        if depth > MAX_DEPTH:
            raise PipelineError([Problem(f"nested deeper than {MAX_DEPTH} levels", node.where)])
        if count > MAX_NODES:
            raise PipelineError([Problem(f"more than {MAX_NODES:,} values in one file", node.where)])

    def _check_properties(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, node: Node) -> None:
        if event.anchor is not None:
            self._problems.add(f"YAML anchors (&{event.anchor}) are not supported", node, do="remove it")
        if event.tag is not None and event.tag not in _PLAIN_TAGS and event.tag != "!":
            self._problems.add(f"the YAML tag '{event.tag}' is not supported", node, do="remove it")

    def _check_keys(self, mapping: Mapping) -> None:
        pairs = mapping.pairs
        if len({key.value for key, _ in pairs}) == len(pairs):
            return
        seen: dict[str, Scalar] = {}
        for key, _ in pairs:
            if key.dynamic:
                continue  # several `${{ if ... }}` or `${{ else }}` may stand side by side
            first = seen.setdefault(key.value, key)
            if first is not key:
                self._problems.add(f"the key '{key.value}' occurs twice (first in line {first.line})", key)
