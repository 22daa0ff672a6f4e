"""Template expansion: `${{ }}` in texts and keys, the directives, and inclusion where the position allows it."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from collections.abc import Sequence as List
from typing import TYPE_CHECKING, Protocol

from sluice.language.expressions import ExpressionError, Phase, check_syntax, evaluate, parse, to_boolean
from sluice.language.expressions import to_string as cast_to_string
from sluice.language.expressions.values import Object
from sluice.language.offsets import place_of
from sluice.language.positions import ANYWHERE, Position
from sluice.language.template_text import Directive, Embedded, TemplateTextError, directive, split
from sluice.language.tree import Mapping, Scalar, Sequence, first_dynamic, is_empty, kind_of
from sluice.language.values import mapping_of, node_of, sequence_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sluice.language.expressions import Value
    from sluice.language.problems import Problems
    from sluice.language.scope import Budget, Scope
    from sluice.language.template_text import Part
    from sluice.language.tree import Node


_FAILURE_WORK = 20


class Include(Protocol):
    """Puts the body of a template in the place of the item that names it."""

    def __call__(self, item: Mapping, scope: Scope, kind: str) -> List[Node]:
        """The expanded items; `kind` is `steps`, `jobs`, `stages` or `variables`."""


class _Collected:
    """The pairs of a mapping that is being expanded, or what stands in its place."""

    __slots__ = ("instead", "pairs")

    def __init__(self) -> None:
        self.pairs: list[tuple[Scalar, Node]] = []
        self.instead: Node | None = None


class Expander:
    """Expands the trees of one compilation; what cannot be expanded is a problem and becomes an empty text."""

    def __init__(self, problems: Problems, budget: Budget, include: Include) -> None:
        self._problems = problems
        self._budget = budget
        self._include = include
        self._parts: dict[str, List[Part]] = {}
        self._directives: dict[str, Directive | None] = {}
        self._dropped: dict[int, Node] = {}

    def expand(self, node: Node, scope: Scope, position: Position = ANYWHERE) -> Node:
        """The node with nothing left to expand; trees without `${{` and `template:` are handed back as they are."""
        if not node.dynamic:
            if position.defining:
                scope.variables.define_all(node)
            return node
        if position.refusing:
            self._problems.add(position.refusing, first_dynamic(node))
            return self._nothing(node)
        if type(node) is Scalar:
            result = self.scalar(node, scope)
            return result if type(result) is Scalar or position is ANYWHERE else self.expand(result, scope, position)
        if type(node) is Sequence:
            items: list[Node] = []
            self._items(node.items, scope, position, items, None)
            return sequence_of(items, node)
        return self._mapping(node, self._inside(node, scope, position), position)

    def scalar(self, node: Scalar, scope: Scope) -> Node:
        """The text with its expressions replaced; an expression alone may give a structure."""
        if not node.dynamic:
            return node
        parts = self._split(node)
        if parts is None:
            return self._nothing(node)
        if len(parts) == 1 and isinstance(parts[0], Embedded):
            return self._whole(node, parts[0], scope)
        texts = []
        for part in parts:
            text = part if isinstance(part, str) else self._text(node, part, scope)
            if text is None:
                return self._nothing(node)
            self._budget.spend_text(len(text), node)
            texts.append(text)
        return Scalar("".join(texts), node.line, node.column, node.source)

    def _whole(self, node: Scalar, part: Embedded, scope: Scope) -> Node:
        try:
            result = node_of(self._evaluate(part.expression, scope), node)
        except ExpressionError as error:
            self._fail(error, node, part.start)
            return self._nothing(node)
        if type(result) is Scalar:
            self._budget.spend_text(len(result.value), node)
        else:
            self._budget.spend_text(0, node)
        return result

    def _text(self, node: Scalar, part: Embedded, scope: Scope) -> str | None:
        try:
            return cast_to_string(self._evaluate(part.expression, scope))
        except ExpressionError as error:
            self._fail(error, node, part.start)
            return None

    def _fail(self, error: ExpressionError, node: Scalar, start: int) -> None:
        """Tell what is wrong with the expression that starts at an offset of a text."""
        self._budget.spend(_FAILURE_WORK, node)
        where = place_of(node, start + max(error.position - 1, 0))
        self._problems.add_at(error.what, where, do=error.do)

    def _evaluate(self, text: str, scope: Scope) -> Value:
        return evaluate(parse(text, phase=Phase.TEMPLATE, names=scope.names), scope.context)

    def _split(self, node: Scalar) -> List[Part] | None:
        parts = self._parts.get(node.value)
        if parts is None:
            try:
                parts = self._parts[node.value] = split(node.value)
            except TemplateTextError as error:
                self._problems.add(str(error), node)
        return parts

    def _nothing(self, node: Node) -> Scalar:
        """Stands for what could not be expanded; nothing more is said about its place."""
        self._problems.broken(node)
        return Scalar("", node.line, node.column, node.source)

    def _inside(self, node: Mapping, scope: Scope, position: Position) -> Scope:
        """The scope of a mapping: a stage or job has variables of its own, as long as it may define some."""
        if not position.scoped or not any(key.dynamic or key.value == "variables" for key, _ in node.pairs):
            return scope
        self._budget.spend(1 + len(scope.variables) // 64, node)
        return scope.inner()

    def _items(
        self, items: List[Node], scope: Scope, position: Position, out: list[Node], taken: bool | None
    ) -> bool | None:
        """Expand items into `out`; `taken` tells whether a branch of the `if` just before was taken, None: no `if`."""
        for item in items:
            if not item.dynamic:
                taken = None
                self._add(item, scope, position, out)
            elif type(item) is Scalar:
                taken = None
                self._splice(self.scalar(item, scope), scope, position, out)
            elif type(item) is Mapping:
                taken = self._item_mapping(item, scope, position, out, taken)
            else:
                taken = None
                self._add(self.expand(item, scope), scope, position, out)
        return taken

    def _splice(self, result: Node, scope: Scope, position: Position, out: list[Node]) -> None:
        """The value of an expression: the items of an Array, or one item; nothing where it is empty."""
        if type(result) is Sequence:
            for item in result.items:
                self._add(item, scope, position, out)
        elif not (position.include and is_empty(result)):
            self._add(result, scope, position, out)

    def _add(self, item: Node, scope: Scope, position: Position, out: list[Node]) -> None:
        """Add an item that is expanded, apart from inclusions in it."""
        self._budget.spend(1, item)
        if item.dynamic and type(item) is Mapping:
            if position.include and item.get("template") is not None:
                out.extend(self._include(item, scope, position.include))
                return
            if position.item is not None:
                item = self.expand(item, scope, position.item)
        if position.defining:
            scope.variables.define_item(item)
        out.append(item)

    def _item_mapping(
        self, item: Mapping, scope: Scope, position: Position, out: list[Node], taken: bool | None
    ) -> bool | None:
        """An item that is a mapping: directives around items, an inclusion, or just an item."""
        directives = [self._directive(key) if key.dynamic else None for key, _ in item.pairs]
        only_directives = bool(directives) and all(found is not None and found.word != "insert" for found in directives)
        if not only_directives:
            if position.include and item.get("template") is not None:
                out.extend(self._include(item, scope, position.include))
            else:
                self._add(self.expand(item, scope, position.item or ANYWHERE), scope, position, out)
            return None
        if not any(type(value) is Mapping for _, value in item.pairs):
            for (key, value), found in zip(item.pairs, directives, strict=True):
                if found is not None:
                    taken = self._directed_items(key, value, found, scope, position, out, taken)
            return taken
        inside = position.item or ANYWHERE
        collected = _Collected()
        taken = self._pairs(item.pairs, self._inside(item, scope, inside), inside, collected, taken)
        if collected.pairs or collected.instead is not None:
            self._add(self._finish(collected, item), scope, position, out)
        return taken

    def _directed_items(
        self,
        key: Scalar,
        value: Node,
        found: Directive,
        scope: Scope,
        position: Position,
        out: list[Node],
        taken: bool | None,
    ) -> bool | None:
        if found.word == "each":
            for inner in self._loop(key, found, scope):
                self._body_items(value, inner, position, out)
            return None
        kept, taken = self._branch(key, found, scope, taken)
        if kept:
            self._body_items(value, scope, position, out)
        else:
            self._check_dropped(value)
        return taken

    def _body_items(self, value: Node, scope: Scope, position: Position, out: list[Node]) -> None:
        if type(value) is Sequence:
            self._items(value.items, scope, position, out, None)
        elif type(value) is Scalar and not is_empty(value):
            self._splice(self.scalar(value, scope), scope, position, out)

    def _mapping(self, node: Mapping, scope: Scope, position: Position) -> Node:
        collected = _Collected()
        self._pairs(self._variables_first(node, position), scope, position, collected, None)
        return self._finish(collected, node)

    def _variables_first(self, node: Mapping, position: Position) -> List[tuple[Scalar, Node]]:
        """Variables are known to their whole stage, job or file, wherever among its keys they stand."""
        if "variables" not in position.keys:
            return node.pairs
        return sorted(node.pairs, key=lambda pair: pair[0].value != "variables")

    def _finish(self, collected: _Collected, node: Mapping) -> Node:
        if collected.instead is not None and not collected.pairs:
            return collected.instead
        if collected.instead is not None:
            self._problems.add(f"{kind_of(collected.instead)} stands among the keys of a mapping", collected.instead)
        by_name: dict[str, tuple[Scalar, Node]] = {}
        for pair in collected.pairs:
            if by_name.setdefault(pair[0].value, pair) is not pair:
                self._problems.add(f"'{pair[0].value}' is already defined", pair[0])
        return mapping_of(list(by_name.values()), node)

    def _pairs(
        self,
        pairs: List[tuple[Scalar, Node]],
        scope: Scope,
        position: Position,
        out: _Collected,
        taken: bool | None,
    ) -> bool | None:
        """Expand pairs into `out`; `taken` as for `_items`."""
        for key, value in pairs:
            self._budget.spend(1, key)
            found = self._directive(key) if key.dynamic else None
            if found is None:
                taken = None
                name = self._key(key, scope) if key.dynamic else key
                if name is not None:
                    below = position.keys.get(name.value, ANYWHERE)
                    self._put(name, self.expand(value, scope, below), scope, position, out)
            elif found.word == "insert":
                taken = None
                self._body_pairs(self.expand(value, scope), scope, position, out)
            elif found.word == "each":
                taken = None
                for inner in self._loop(key, found, scope):
                    self._body_pairs(value, inner, position, out)
            else:
                kept, taken = self._branch(key, found, scope, taken)
                if kept:
                    self._body_pairs(value, scope, position, out)
                else:
                    self._check_dropped(value)
        return taken

    def _put(self, name: Scalar, value: Node, scope: Scope, position: Position, out: _Collected) -> None:
        if position.defining and type(value) is Scalar:
            scope.variables.define(name.value, value.value)
        out.pairs.append((name, value))

    def _body_pairs(self, value: Node, scope: Scope, position: Position, out: _Collected) -> None:
        """The body of a directive in a mapping: more pairs, or, where it is alone, what stands for the mapping."""
        if type(value) is Mapping:
            self._pairs(value.pairs, scope, position, out, None)
            return
        result = self.expand(value, scope, position)
        if type(result) is Mapping:
            for key, each in result.pairs:
                self._put(key, each, scope, position, out)
        elif type(result) is Sequence and type(out.instead) is Sequence:
            out.instead = sequence_of([*out.instead.items, *result.items], out.instead)
        elif not is_empty(result) or not is_empty(value):
            out.instead = result

    def _key(self, key: Scalar, scope: Scope) -> Scalar | None:
        name = self.scalar(key, scope)
        if type(name) is Scalar:
            return name
        self._problems.add(f"a key has to be a text, not {kind_of(name)}", key)
        return None

    def _directive(self, key: Scalar) -> Directive | None:
        text = key.value
        if text not in self._directives:
            try:
                self._directives[text] = directive(text)
            except TemplateTextError as error:
                self._problems.add(str(error), key)
                return Directive("if", "false")
        return self._directives[text]

    def _branch(self, key: Scalar, found: Directive, scope: Scope, taken: bool | None) -> tuple[bool, bool | None]:
        """Whether the branch is kept, and what is known to the `else` after it."""
        if found.word == "if":
            kept = self._holds(key, found, scope)
            return kept is True, kept is not False
        if taken is None:
            self._problems.add(f"'{found.word}' has to follow an 'if'", key)
            return False, None
        if found.word == "else":
            return not taken, None
        if taken:
            self._check(key, found)
            return False, True
        kept = self._holds(key, found, scope)
        return kept is True, kept is not False

    def _holds(self, key: Scalar, found: Directive, scope: Scope) -> bool | None:
        self._budget.spend_text(0, key)
        try:
            return to_boolean(self._evaluate(found.expression, scope))
        except ExpressionError as error:
            self._fail(error, key, found.start)
            return None

    def _loop(self, key: Scalar, found: Directive, scope: Scope) -> Iterator[Scope]:
        self._budget.spend_text(0, key)
        try:
            value = self._evaluate(found.expression, scope)
        except ExpressionError as error:
            self._fail(error, key, found.start)
            return
        if value is None or value == "":
            return
        items: List[Value]
        if isinstance(value, Dict):
            items = [Object({"key": name, "value": each}) for name, each in value.items()]
        elif isinstance(value, List) and not isinstance(value, str):
            items = value
        else:
            self._problems.add("'each' goes over a list or a mapping, not over a text", key)
            return
        for item in items:
            self._budget.spend(1, key)
            yield scope.bind(found.variable, item)

    def _check(self, key: Scalar, found: Directive) -> None:
        try:
            check_syntax(found.expression, phase=Phase.TEMPLATE)
        except ExpressionError as error:
            self._fail(error, key, found.start)

    def _check_dropped(self, node: Node) -> None:
        """What is dropped has to be written correctly all the same."""
        if not node.dynamic or id(node) in self._dropped:
            return
        self._dropped[id(node)] = node
        if type(node) is Mapping:
            for key, value in node.pairs:
                found = self._directive(key) if key.dynamic else None
                if found is not None and found.expression:
                    self._check(key, found)
                elif found is None:
                    self._check_dropped(key)
                self._check_dropped(value)
        elif type(node) is Sequence:
            for item in node.items:
                self._check_dropped(item)
        else:
            for part in self._split(node) or ():
                if isinstance(part, Embedded):
                    self._check(node, Directive("", part.expression, start=part.start))
