"""A plan as JSON text and back, unchanged.

Fields that have their default are left out; a text is `[value, file, line, column]`, a place `[file, line, column]`.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from typing import Any, TypeAlias, Union, get_args, get_origin, get_type_hints

from sluice.errors import Location, StorageError
from sluice.language.plan import Plan, Text

VERSION = 1

_Decoder: TypeAlias = Callable[[Any], Any]


def encode(plan: Plan) -> str:
    """The plan as JSON text."""
    return json.dumps({"version": VERSION, "plan": _encode(plan)}, ensure_ascii=False, separators=(",", ":"))


def decode(text: str) -> Plan:
    """The plan that `encode` made the text from; raises `StorageError` when it is none."""
    try:
        stored = json.loads(text)
        if stored["version"] != VERSION:
            raise StorageError(f"a plan of version {stored['version']}, only {VERSION} can be read")
        plan: Plan = _decoder(Plan)(stored["plan"])
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise StorageError("a stored plan cannot be read", why=f"{type(error).__name__}: {error}") from error
    return plan


def _encode(value: Any) -> Any:
    kind: Any = type(value)
    if kind is str or value is None or kind is int or kind is bool:
        return value
    if kind is Text:
        where = value.where
        return [value.value, where.file, where.line, where.column]
    if kind is Location:
        return [value.file, value.line, value.column]
    if kind is tuple or kind is list:
        return [_encode(each) for each in value]
    if isinstance(value, Mapping):
        return {name: _encode(each) for name, each in value.items()}
    defaults = _defaults(kind)
    return {
        name: _encode(each)
        for name, default in defaults
        if (each := getattr(value, name)) != default or default is MISSING
    }


@cache
def _defaults(kind: type) -> tuple[tuple[str, object], ...]:
    found = []
    for each in fields(kind):
        default = each.default_factory() if each.default_factory is not MISSING else each.default
        found.append((each.name, default))
    return tuple(found)


@cache
def _decoder(kind: Any) -> _Decoder:
    """What makes a value of that type out of JSON."""
    if kind is Text:
        return lambda data: Text(data[0], Location(data[1], data[2], data[3]))
    if kind is Location:
        return lambda data: Location(*data)
    if is_dataclass(kind):
        return _dataclass_decoder(kind)
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is tuple:
        item = _decoder(arguments[0])
        return lambda data: tuple([item(each) for each in data])
    if origin is Mapping:
        return _mapping_decoder(_decoder(arguments[1]))
    if origin in {types.UnionType, Union}:
        return _union_decoder(arguments)
    return lambda data: data


def _mapping_decoder(item: _Decoder) -> _Decoder:
    return lambda data: {name: item(each) for name, each in data.items()}


def _dataclass_decoder(kind: Any) -> _Decoder:
    decoders: dict[str, _Decoder] = {}

    def decode_fields(data: Mapping[str, Any]) -> Any:
        # looked up late, so that a type may hold its own kind
        if not decoders:
            decoders.update({name: _decoder(hint) for name, hint in get_type_hints(kind).items()})
        return kind(**{name: decoders[name](each) for name, each in data.items()})

    return decode_fields


def _union_decoder(kinds: tuple[Any, ...]) -> _Decoder:
    """None is null; a `Text` is an array in JSON, whatever else may stand in its place is an object."""
    others = [kind for kind in kinds if kind is not types.NoneType]
    texts = [_decoder(kind) for kind in others if kind is Text or get_origin(kind) is tuple]
    objects = [_decoder(kind) for kind in others if kind is not Text and get_origin(kind) is not tuple]

    def decode_union(data: Any) -> Any:
        if data is None:
            return None
        return texts[0](data) if isinstance(data, list) else objects[0](data)

    return decode_union
