"""From text to tree; what can be known without evaluating is refused here."""

from __future__ import annotations

from functools import lru_cache

from sluice.language.expressions.errors import ExpressionError, excerpt
from sluice.language.expressions.functions import functions_of
from sluice.language.expressions.lexer import Token, TokenKind, tokens
from sluice.language.expressions.nodes import Access, Call, Expression, Function, Literal, Name, Node
from sluice.language.expressions.phase import Phase

LONGEST_EXPRESSION = 21000
DEEPEST_EXPRESSION = 50
"""So many calls and indexers open at once are too many."""

_LONGEST_CACHED = 500
_NO_NAMES: frozenset[str] = frozenset()
_PARAMETERS = "parameters"
_OPERATORS = {
    "==": "eq(a, b)",
    "!=": "ne(a, b)",
    "<": "lt(a, b)",
    "<=": "le(a, b)",
    ">": "gt(a, b)",
    ">=": "ge(a, b)",
    "&&": "and(a, b)",
    "||": "or(a, b)",
    "!": "not(a)",
}
_SISTERS = {"tojson": "convertToJson", "success": "succeeded", "failure": "failed", "cancelled": "canceled"}


def parse(text: str, *, phase: Phase, names: frozenset[str] | None = None) -> Expression:
    """The expression that `text` spells, or ExpressionError.

    `names` are further named values, such as the loop variables of `each`.
    """
    extra = names or _NO_NAMES
    return _parse_short(text, phase, extra) if len(text) <= _LONGEST_CACHED else _parse(text, phase, extra)


def check_syntax(text: str, *, phase: Phase) -> None:
    """Refuse what no named values could make right: for an expression that is not going to be evaluated."""
    _Parser(text, phase, None).expression()


def _parse(text: str, phase: Phase, names: frozenset[str]) -> Expression:
    known = phase.names | {name.lower() for name in names} if names else phase.names
    return _Parser(text, phase, known).expression()


_parse_short = lru_cache(maxsize=4096)(_parse)


class _Parser:
    """Recursive descent over the tokens of one text; as deep as `DEEPEST_EXPRESSION` allows."""

    def __init__(self, text: str, phase: Phase, names: frozenset[str] | None) -> None:
        self._text = text
        self._phase = phase
        self._names = names
        self._functions = functions_of(phase)
        self._depth = 0
        self._next = 0
        if len(text) > LONGEST_EXPRESSION:
            raise self._error(f"Exceeded max expression length {LONGEST_EXPRESSION}", 1)
        self._tokens = tokens(text)

    def expression(self) -> Expression:
        if self._peek().kind is TokenKind.END:
            raise self._error("An expression was expected", 1)
        root = self._value()
        if self._peek().kind is not TokenKind.END:
            raise self._unexpected(self._peek())
        return Expression(self._text, self._phase, root)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _value(self) -> Node:
        token = self._take()
        if token.kind is TokenKind.LITERAL:
            return Literal(token.value, token.text, token.position)
        if token.kind is not TokenKind.WORD:
            raise self._unexpected(token)
        target = self._call(token) if self._peek().kind is TokenKind.OPEN else self._name(token)
        if self._peek().kind in {TokenKind.DEREFERENCE, TokenKind.OPEN_INDEX}:
            return self._access(target)
        return target

    def _name(self, token: Token) -> Name:
        name = token.text.lower()
        if self._names is None or name in self._names:
            return Name(name, token.text, token.position)
        if name in self._functions:
            raise self._error(f"Expected '(' to follow a function: '{token.text}'", token.position)
        raise self._unrecognized(token, self._names)

    def _access(self, target: Name | Call) -> Access:
        accessors: list[Node | None] = []
        while True:
            kind = self._peek().kind
            if kind is TokenKind.DEREFERENCE:
                accessors.append(self._property())
            elif kind is TokenKind.OPEN_INDEX:
                accessors.append(self._index())
            else:
                break
        of_parameters = isinstance(target, Name) and target.name == _PARAMETERS
        return Access(target, tuple(accessors), of_parameters, target.position)

    def _property(self) -> Node | None:
        dereference = self._take()
        token = self._take()
        if token.kind is TokenKind.WILDCARD:
            return None
        is_keyword = token.kind is TokenKind.LITERAL and isinstance(token.value, bool)
        if token.kind is TokenKind.WORD or is_keyword:
            return Literal(token.text, token.text, token.position)
        message = "Expected a property name to follow the dereference operator '.'"
        do = "write ['name'] for other names" if token.kind is TokenKind.UNEXPECTED else ""
        raise self._error(message, dereference.position, do=do)

    def _index(self) -> Node | None:
        opening = self._open()
        if self._peek().kind is TokenKind.WILDCARD:
            self._take()
            index = None
        elif self._peek().kind is TokenKind.END:
            raise self._unclosed(opening, None)
        else:
            index = self._value()
        self._close(TokenKind.CLOSE_INDEX, opening, None)
        return index

    def _call(self, name: Token) -> Call:
        function = self._functions.get(name.text.lower())
        if function is None:
            known = self._names if self._names is not None else _NO_NAMES
            raise self._unexpected(self._peek()) if name.text.lower() in known else self._unrecognized(name, known)
        opening = self._open()
        arguments: list[Node] = []
        while self._peek().kind is not TokenKind.CLOSE or arguments:
            if self._peek().kind is TokenKind.END:
                raise self._unclosed(opening, name)
            arguments.append(self._value())
            separator = self._peek()
            if separator.kind is not TokenKind.SEPARATOR:
                break
            if function.maximum is not None and len(arguments) >= function.maximum:
                raise self._wrong_count(separator, function)
            self._take()
        closing = self._close(TokenKind.CLOSE, opening, name)
        too_many = function.maximum is not None and len(arguments) > function.maximum
        if len(arguments) < function.minimum or too_many:
            raise self._wrong_count(closing, function)
        return Call(function, tuple(arguments), name.position)

    def _open(self) -> Token:
        opening = self._take()
        self._depth += 1
        if self._depth >= DEEPEST_EXPRESSION:
            raise self._error(f"Exceeded max expression depth {DEEPEST_EXPRESSION}", opening.position)
        return opening

    def _close(self, kind: TokenKind, opening: Token, function: Token | None) -> Token:
        token = self._take()
        if token.kind is TokenKind.END:
            raise self._unclosed(opening, function)
        if token.kind is not kind:
            raise self._unexpected(token)
        self._depth -= 1
        return token

    def _error(self, message: str, position: int, *, why: str = "", do: str = "") -> ExpressionError:
        return ExpressionError(message, position=position, expression=self._text, why=why, do=do)

    def _unclosed(self, opening: Token, function: Token | None) -> ExpressionError:
        if function is None:
            return self._error("Unclosed indexer: '['", opening.position)
        return self._error(f"Unclosed function: '{function.text}'", function.position)

    def _unexpected(self, token: Token) -> ExpressionError:
        if token.kind is TokenKind.END:
            return self._error("Unexpected end of expression", token.position)
        instead = _OPERATORS.get(token.text)
        do = f"there are no operators: write {instead}" if instead else ""
        if token.text.startswith('"'):
            do = "texts stand in single quotes"
        return self._error(f"Unexpected symbol: '{excerpt(token.text)}'", token.position, do=do)

    def _wrong_count(self, token: Token, function: Function) -> ExpressionError:
        low, high = function.minimum, function.maximum
        count = f"{low} or more" if high is None else str(low) if low == high else f"{low} to {high}"
        noun = "argument" if count == "1" else "arguments"
        message = f"Unexpected symbol: '{token.text}'"
        return self._error(message, token.position, why=f"'{function.name}' takes {count} {noun}")

    def _unrecognized(self, token: Token, known: frozenset[str]) -> ExpressionError:
        near = _nearest(token.text, [function.name for function in self._functions.values()] + sorted(known))
        do = f"did you mean '{near}'?" if near else ""
        return self._error(f"Unrecognized value: '{excerpt(token.text)}'", token.position, do=do)


def _nearest(name: str, known: list[str]) -> str:
    """The known name that was probably meant, or ''."""
    import difflib

    sister = _SISTERS.get(name.lower())
    if sister in known:
        return str(sister)
    spelled = {candidate.lower(): candidate for candidate in known}
    near = difflib.get_close_matches(name.lower()[:100], spelled, n=1, cutoff=0.75)
    return spelled[near[0]] if near else ""
