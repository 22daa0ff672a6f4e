"""An expression's text cut into tokens."""

from __future__ import annotations

import enum
import re
from typing import NamedTuple

from sluice.language.expressions.casts import parse_version, plain_number
from sluice.language.expressions.errors import ExpressionError, excerpt
from sluice.language.expressions.values import Value


class TokenKind(enum.Enum):
    """What a token is."""

    OPEN = "("
    CLOSE = ")"
    OPEN_INDEX = "["
    CLOSE_INDEX = "]"
    SEPARATOR = ","
    DEREFERENCE = "."
    WILDCARD = "*"
    LITERAL = "literal"
    WORD = "word"
    UNEXPECTED = "unexpected"
    END = "end"


class Token(NamedTuple):
    """A piece of the text; `position` is its column, from 1."""

    kind: TokenKind
    text: str
    position: int
    value: Value = None


_PUNCTUATION = {kind.value: kind for kind in TokenKind if len(kind.value) == 1}
_TOKEN = re.compile(
    r"\s*(?:(?P<string>'[^']*(?:''[^']*)*')"
    r"|(?P<number>[-0-9][^\s\[\](),]*|\.[0-9][^\s\[\](),]*)"
    r"|(?P<punctuation>[\[\](),.*])"
    r"|(?P<word>[^\s\[\](),.]+)"
    r"|(?P<end>\Z))"
)
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_NUMBER = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)\Z")
_BEFORE_NUMBER = frozenset({TokenKind.OPEN, TokenKind.OPEN_INDEX, TokenKind.SEPARATOR})
_VERSION_PERIODS = 2


def tokens(text: str) -> list[Token]:
    """The tokens of `text`, the last of kind END; what is no token at all becomes one of kind UNEXPECTED."""
    found: list[Token] = []
    index = 0
    while True:
        match = _TOKEN.match(text, index)
        if match is None or match.lastgroup is None:  # pragma: no cover: the groups leave nothing out
            raise ExpressionError(f"Unexpected symbol: '{excerpt(text[index:])}'", position=index + 1, expression=text)
        group = match.lastgroup
        token_text = match[group]
        position = match.start(group) + 1
        index = match.end()
        if group == "punctuation":
            found.append(Token(_PUNCTUATION[token_text], token_text, position))
        elif group == "word":
            found.append(_word(token_text, position))
        elif group == "string":
            found.append(Token(TokenKind.LITERAL, token_text, position, token_text[1:-1].replace("''", "'")))
        elif group == "end":
            found.append(Token(TokenKind.END, "", position))
            return found
        elif token_text[0] == "." and found and found[-1].kind not in _BEFORE_NUMBER:
            index = position
            found.append(Token(TokenKind.DEREFERENCE, ".", position))
        else:
            found.append(_number(token_text, position))


def _word(text: str, position: int) -> Token:
    if _IDENTIFIER.match(text) is None:
        return Token(TokenKind.UNEXPECTED, text, position)
    lowered = text.lower()
    if lowered in {"true", "false"}:
        return Token(TokenKind.LITERAL, text, position, lowered == "true")
    return Token(TokenKind.WORD, text, position)


def _number(text: str, position: int) -> Token:
    value: Value = None
    if text.count(".") >= _VERSION_PERIODS:
        value = parse_version(text)
    elif _NUMBER.match(text):
        value = plain_number(text)
    return Token(TokenKind.UNEXPECTED if value is None else TokenKind.LITERAL, text, position, value)
