"""Reads objects of the schema from a tree; what does not fit is recorded as a problem and left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.errors import Location
from sluice.language.plan import Text
from sluice.language.problems import did_you_mean
from sluice.language.schema import SHAPES
from sluice.language.shapes import Kind
from sluice.language.tree import Mapping, Scalar, Sequence, is_empty, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sluice.language.problems import Problems
    from sluice.language.shapes import Key, Shape
    from sluice.language.tree import Node

TRUE = frozenset({"true", "y", "yes", "on"})
_FALSE = frozenset({"false", "n", "no", "off"})

Fields = dict[str, "Node"]


def text_of(node: Scalar) -> Text:
    """The text with its place."""
    return Text(node.value, Location(node.source.name, node.line, node.column))


def known_later(text: str) -> bool:
    """Whether the value is only known when the run has come so far: it holds a macro or is a runtime expression."""
    return "$(" in text or text.startswith("$[")


def to_boolean(text: str) -> bool | None:
    """The Boolean that a schema position reads in a text, None when it is none."""
    folded = text.strip().casefold()
    if folded in TRUE:
        return True
    return False if folded in _FALSE else None


def is_number(text: str) -> bool:
    """Whether the text is a whole number."""
    return text.strip().removeprefix("-").isdecimal()


def plain(node: Node) -> object:
    """The node as texts, lists and dictionaries."""
    if type(node) is Mapping:
        return {key.value: plain(value) for key, value in node.pairs}
    if type(node) is Sequence:
        return [plain(item) for item in node.items]
    return node.value


class Reader:
    """Reads fields by their shapes."""

    def __init__(self, problems: Problems) -> None:
        self.problems = problems

    def fields(self, node: Mapping, shape: Shape) -> Fields:
        """The values of the legal keys, each of a kind that its key allows; an empty value counts as absent."""
        accepts = shape.accepts
        found: Fields = {}
        for key, value in node.pairs:
            name = key.value
            kinds = accepts.get(name)
            if kinds is None:
                if shape.open:
                    self.problems.note(f"the key '{name}' of {shape.what} has no meaning here", key)
                else:
                    self.unknown_key(key, shape)
            elif type(value) in kinds:
                found[name] = value
            elif not is_empty(value):
                wanted = shape.keys[name].kind.value
                self.problems.add(f"'{name}' of {shape.what} has to be {wanted}, not {kind_of(value)}", value)
        for name in shape.required:
            if name not in found:
                self.problems.add(f"{shape.what} needs '{name}'", node)
        if shape.unacted:
            self._note_unacted(node, shape, found)
        return found

    def _note_unacted(self, node: Mapping, shape: Shape, found: Fields) -> None:
        for key, value in node.pairs:
            meaning = shape.unacted.get(key.value)
            none = type(value) is Scalar and value.value.casefold() == "none"
            if meaning is not None and key.value in found and not none:
                self.problems.note(f"'{key.value}' of {shape.what} is not acted on: {meaning}", key)

    def unknown_key(self, key: Scalar, shape: Shape, do: str = "") -> None:
        advice = do or shape.advice.get(key.value) or did_you_mean(key.value, shape.keys)
        if not advice and len(shape.keys) <= 8:
            advice = "known: " + ", ".join(sorted(shape.keys))
        self.problems.add(f"unknown key '{key.value}' of {shape.what}", key, do=advice)

    def mapping(self, node: Node, what: str) -> Mapping | None:
        """The node if it is a mapping."""
        if type(node) is Mapping:
            return node
        self.problems.add(f"{what} has to be a mapping, not {kind_of(node)}", node)
        return None

    def text(self, fields: Fields, name: str) -> str:
        """The text of a field, '' when it is absent."""
        node = fields.get(name)
        return node.value if type(node) is Scalar else ""

    def placed(self, fields: Fields, name: str) -> Text | None:
        """The text of a field with its place, None when it is absent or empty."""
        node = fields.get(name)
        return text_of(node) if type(node) is Scalar and node.value else None

    def boolean(self, fields: Fields, name: str, *, default: bool) -> bool:
        """A Boolean that has to be known now."""
        node = fields.get(name)
        if type(node) is not Scalar or not node.value:
            return default
        answer = to_boolean(node.value)
        if answer is None:
            self.problems.add(f"'{name}' has to be true or false, not '{node.value}'", node)
            return default
        return answer

    def later_boolean(self, fields: Fields, name: str) -> Text | None:
        """A Boolean as `true` or `false`, or the text of what gives one when the run has come so far."""
        node = fields.get(name)
        if type(node) is not Scalar or not node.value:
            return None
        answer = to_boolean(node.value)
        if answer is not None:
            return Text(str(answer).lower(), node.where)
        if not known_later(node.value):
            self.problems.add(f"'{name}' has to be true or false, not '{node.value}'", node)
        return text_of(node)

    def later_number(self, fields: Fields, name: str, low: int = 0, high: int | None = None) -> Text | None:
        """A whole number between `low` and `high`, or the text of what gives one when the run has come so far."""
        node = fields.get(name)
        if type(node) is not Scalar or not node.value:
            return None
        text = node.value.strip()
        if known_later(text):
            return text_of(node)
        if not is_number(text) or len(text) > 9:
            self.problems.add(f"'{name}' has to be a whole number, not '{node.value}'", node)
            return None
        if int(text) < low or (high is not None and int(text) > high):
            limits = f"at least {low}" if high is None else f"from {low} to {high}"
            self.problems.add(f"'{name}' has to be {limits}, not {text}", node)
            return None
        return Text(text, node.where)

    def choice(self, fields: Fields, name: str, shape: Shape) -> str:
        """One of the values that the key allows, spelt as declared; '' when it is absent."""
        node = fields.get(name)
        if type(node) is not Scalar or not node.value:
            return ""
        return self.chosen(node, name, shape.keys[name].values)

    def chosen(self, node: Scalar, name: str, values: Iterable[str]) -> str:
        wanted = node.value.strip().casefold()
        for value in values:
            if value.casefold() == wanted:
                return value
        advice = did_you_mean(node.value, values) or "known: " + ", ".join(values)
        self.problems.add(f"'{name}' cannot be '{node.value}'", node, do=advice)
        return ""

    def texts(self, node: Node | None, name: str) -> tuple[Text, ...]:
        """A text or a list of texts; an empty text is no item."""
        if node is None:
            return ()
        items = node.items if type(node) is Sequence else [node]
        found = []
        for item in items:
            if type(item) is not Scalar:
                self.problems.add(f"an item of '{name}' has to be a text, not {kind_of(item)}", item)
            elif item.value:
                found.append(text_of(item))
        return tuple(found)

    def values(self, node: Node | None, name: str) -> tuple[str, ...]:
        """As `texts`, without the places."""
        return tuple(text.value for text in self.texts(node, name))

    def text_map(self, node: Node | None, name: str) -> dict[str, Text]:
        """A mapping of texts, such as `env`."""
        found: dict[str, Text] = {}
        if type(node) is not Mapping:
            return found
        for key, value in node.pairs:
            if type(value) is Scalar:
                found[key.value] = Text(value.value, Location(value.source.name, value.line, value.column))
            else:
                self.problems.add(f"'{key.value}' of '{name}' has to be a text, not {kind_of(value)}", value)
        return found

    def data(self, node: Node, key: Key, name: str) -> object:
        """The value as plain data, checked as deep as its shapes go; for what is kept but not acted on."""
        if type(node) is Mapping and key.of:
            return self._item(node, key, name)
        if type(node) is Sequence and key.of and key.kind is Kind.LIST:
            return [self._item(item, key, name) for item in node.items]
        if type(node) is Sequence and key.kind is not Kind.ANY:
            return list(self.values(node, name))
        if key.kind is Kind.BOOLEAN:
            return self.boolean({name: node}, name, default=False)
        if key.values and type(node) is Scalar:
            return self.chosen(node, name, key.values)
        return plain(node)

    def _item(self, node: Node, key: Key, name: str) -> object:
        mapping = self.mapping(node, f"an item of '{name}'")
        if mapping is None:
            return {}
        shape = SHAPES[key.of]
        fields = self.fields(mapping, shape)
        return {each: self.data(value, shape.keys[each], each) for each, value in fields.items()}
