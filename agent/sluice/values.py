"""`dataclass` as everywhere, but quick to declare: what a frozen, slotted one needs is written when it is first used.

The standard library writes and compiles six functions for each dataclass, about half a millisecond, whether anybody
ever calls them or not. A run declares some three hundred and makes instances of a third: that was a quarter of the
time to its first line of output. Here `__init__` is written when the first instance is made, and the others are shared.

The classes are dataclasses to everybody: `fields`, `replace`, `asdict`, `copy` and type checkers know them. Whatever is
not frozen, slotted and compared by all its fields is handed to the standard library.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass

    __all__ = ["dataclass"]
else:

    def dataclass(cls: type | None = None, /, **options: bool) -> Any:
        """`dataclasses.dataclass`; see there."""
        if cls is not None or not options.keys() <= {"frozen", "slots", "kw_only"}:
            return dataclasses.dataclass(cls, **options)
        if not (options.get("frozen") and options.get("slots")):
            return dataclasses.dataclass(**options)
        return lambda plain: _declared(plain, kw_only=options.get("kw_only", False))


_FIELDS = "__dataclass_fields__"
_FACTORY = object()
"""The default of a parameter that stands for what a factory makes."""

Fields = dict[str, "dataclasses.Field[Any]"]


def _declared(plain: type, *, kw_only: bool) -> type:
    own = _own_fields(plain, kw_only=kw_only)
    if any(not (one.init and one.compare and one.hash is None) for one in own.values()):
        return dataclasses.dataclass(frozen=True, slots=True, kw_only=kw_only)(plain)
    fields: Fields = {}
    for base in reversed(plain.__mro__[1:]):
        fields |= base.__dict__.get(_FIELDS, {})
    taken = set(fields)
    fields |= own
    body = {name: value for name, value in vars(plain).items() if name not in {*own, "__dict__", "__weakref__"}}
    cls = type(plain)(plain.__name__, plain.__bases__, body | _methods(fields, taken, body))
    cls.__qualname__ = plain.__qualname__
    return cls


def _own_fields(plain: type, *, kw_only: bool) -> Fields:
    """The fields that a class declares itself."""
    found: Fields = {}
    for name, hint in inspect.get_annotations(plain).items():
        if hint in {"KW_ONLY", "dataclasses.KW_ONLY"}:
            kw_only = True
            continue
        if hint.startswith("ClassVar"):
            continue
        default = plain.__dict__.get(name, dataclasses.MISSING)
        one = default if isinstance(default, dataclasses.Field) else dataclasses.field(default=default)
        if one.default.__class__.__hash__ is None:
            raise ValueError(
                f"mutable default {type(one.default)} for field {name} is not allowed: use default_factory"
            )
        one.name, one.type = name, hint
        one.kw_only = kw_only if one.kw_only is dataclasses.MISSING else one.kw_only
        one._field_type = dataclasses._FIELD  # type: ignore[attr-defined, union-attr]  # noqa: SLF001  # `fields` asks for it
        found[name] = one
    return found


def _methods(fields: Fields, taken: set[str], body: dict[str, Any]) -> dict[str, Any]:
    """What the decorator adds to a class, other than what the class has itself."""
    values = _values(tuple(fields))
    shown = tuple(name for name, one in fields.items() if one.repr)

    def __repr__(self: Any) -> str:  # noqa: N807
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in shown)})"

    def __eq__(self: Any, other: object) -> Any:  # noqa: N807
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    added = {one.__name__: one for one in (__repr__, __eq__, __hash__, __getstate__, __setstate__)}
    return {
        **{name: one for name, one in added.items() if body.get(name) is None},
        _FIELDS: fields,
        "__dataclass_params__": _PARAMETERS,
        "__match_args__": tuple(name for name, one in fields.items() if not one.kw_only),
        "__slots__": tuple(name for name in fields if name not in taken),
        "__init__": _Init(fields),
        "__setattr__": _refuse_setting,
        "__delattr__": _refuse_deleting,
    }


class _Parameters:
    """How a class was declared."""

    __slots__ = ()
    init, repr, eq, order, unsafe_hash, frozen = True, True, True, False, False, True


_PARAMETERS = _Parameters()


def _values(names: tuple[str, ...]) -> Callable[[Any], Any]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda instance: tuple(getattr(instance, name) for name in names)


def _refuse_setting(_self: object, name: str, _value: object) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(_self: object, name: str) -> None:
    raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


def __getstate__(self: Any) -> list[Any]:  # noqa: N807  # a method of every class
    return [getattr(self, name) for name in getattr(self, _FIELDS)]


def __setstate__(self: Any, state: list[Any]) -> None:  # noqa: N807  # a method of every class
    for name, value in zip(getattr(self, _FIELDS), state, strict=True):
        object.__setattr__(self, name, value)


class _Init:
    """Stands for `__init__` until somebody asks for it."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._owner: type | None = None

    def __set_name__(self, owner: type, _name: str) -> None:
        self._owner = owner

    def __get__(self, instance: object, _cls: type | None = None) -> Any:
        owner = self._owner
        assert owner is not None  # noqa: S101  # it is an attribute of a class
        made = _written(owner, self._fields)
        owner.__init__ = made  # type: ignore[misc]
        return made if instance is None else made.__get__(instance, owner)


def _written(owner: type, fields: Fields) -> Callable[..., None]:
    """The function that sets every field, through its slot: `__setattr__` refuses."""
    names: dict[str, Any] = {"_factory": _FACTORY}
    lines = []
    for name, one in fields.items():
        names[f"_set_{name}"] = getattr(owner, name).__set__
        value = name
        if one.default_factory is not dataclasses.MISSING:
            names[f"_make_{name}"] = one.default_factory
            value = f"_make_{name}() if {name} is _factory else {name}"
        lines.append(f"    _set_{name}(self, {value})")
        names[f"_default_{name}"] = one.default
    if hasattr(owner, "__post_init__"):
        lines.append("    self.__post_init__()")
    text = f"def __init__({_parameters(fields)}):\n" + ("\n".join(lines) or "    pass")
    exec(text, names)  # noqa: S102  # names of fields alone, as the standard library does it
    made: Callable[..., None] = names["__init__"]
    made.__qualname__ = f"{owner.__qualname__}.__init__"
    made.__module__ = owner.__module__
    made.__annotations__ = {**{name: one.type for name, one in fields.items()}, "return": None}
    return made


def _parameters(fields: Fields) -> str:
    places = [_parameter(one) for one in fields.values() if not one.kw_only]
    keywords = [_parameter(one) for one in fields.values() if one.kw_only]
    return ", ".join(["self", *places, *(["*"] if keywords else []), *keywords])


def _parameter(one: dataclasses.Field[Any]) -> str:
    if one.default_factory is not dataclasses.MISSING:
        return f"{one.name}=_factory"
    return one.name if one.default is dataclasses.MISSING else f"{one.name}=_default_{one.name}"
