"""What the schema is made of: kinds of values, keys, and the shapes of objects."""

from __future__ import annotations

import enum
from collections.abc import Mapping as Dict
from dataclasses import field

from sluice.language.tree import Mapping, Scalar, Sequence
from sluice.values import dataclass


class Kind(enum.Enum):
    """What may stand as the value of a key."""

    TEXT = "a text"
    BOOLEAN = "true or false"
    NUMBER = "a number"
    TEXTS = "a text or a list of texts"
    LIST = "a list"
    MAPPING = "a mapping"
    TEXT_OR_MAPPING = "a text or a mapping"
    LIST_OR_MAPPING = "a list or a mapping"
    TEXT_OR_LIST_OR_MAPPING = "a text, a list or a mapping"
    ANY = "anything"


_NODES: Dict[Kind, frozenset[type]] = {
    Kind.TEXT: frozenset({Scalar}),
    Kind.BOOLEAN: frozenset({Scalar}),
    Kind.NUMBER: frozenset({Scalar}),
    Kind.TEXTS: frozenset({Scalar, Sequence}),
    Kind.LIST: frozenset({Sequence}),
    Kind.MAPPING: frozenset({Mapping}),
    Kind.TEXT_OR_MAPPING: frozenset({Scalar, Mapping}),
    Kind.LIST_OR_MAPPING: frozenset({Sequence, Mapping}),
    Kind.TEXT_OR_LIST_OR_MAPPING: frozenset({Scalar, Sequence, Mapping}),
    Kind.ANY: frozenset({Scalar, Sequence, Mapping}),
}


@dataclass(frozen=True, slots=True)
class Key:
    """The value of one key: its kind, and `of` which shape a mapping, or each item of a list, is.

    `values` are the texts allowed, none when any is.
    """

    kind: Kind
    of: str = ""
    values: tuple[str, ...] = ()

    @property
    def nodes(self) -> frozenset[type]:
        return _NODES[self.kind]


@dataclass(frozen=True, slots=True)
class Shape:
    """An object of the language: `what` a person calls it, its keys, and advice for keys that are often misplaced.

    An `open` one may have other keys too, which mean nothing to Sluice. `unacted` says of keys that are checked and kept,
    but not acted on, what that means.
    """

    what: str
    keys: Dict[str, Key]
    required: tuple[str, ...] = ()
    advice: Dict[str, str] = field(default_factory=dict)
    open: bool = False
    unacted: Dict[str, str] = field(default_factory=dict)
    accepts: Dict[str, frozenset[type]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "accepts", {name: key.nodes for name, key in self.keys.items()})


TEXT = Key(Kind.TEXT)
BOOLEAN = Key(Kind.BOOLEAN)
NUMBER = Key(Kind.NUMBER)
TEXTS = Key(Kind.TEXTS)
LIST = Key(Kind.LIST)
MAPPING = Key(Kind.MAPPING)
ANY = Key(Kind.ANY)
FILTERS = Key(Kind.LIST_OR_MAPPING, "filters")
