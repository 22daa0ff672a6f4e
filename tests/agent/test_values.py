"""Dataclasses that are quick to declare are those of the standard library to everybody who uses them."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import inspect
import pickle
import pkgutil
import subprocess
import sys
from typing import Any

import pytest

import sluice
from sluice import values
from sluice.values import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    """Two numbers and a list."""

    x: int
    y: int = 0
    _: dataclasses.KW_ONLY
    seen: list[int] = dataclasses.field(default_factory=list, repr=False)


@dataclass(frozen=True, slots=True)
class Named(Point):
    """A point with a name."""

    name: str = "here"


@dataclass(frozen=True, slots=True)
class Positive:  # noqa: PLW1641  # the decorator adds a hash
    """Refuses what is not positive, and has a way to compare of its own."""

    number: int

    def __post_init__(self) -> None:
        if self.number <= 0:
            raise ValueError(self.number)

    def __eq__(self, other: object) -> bool:  # the decorator adds a hash
        return isinstance(other, Positive)


@dataclass(frozen=True, slots=True)
class Nothing:
    """No field at all."""


def test_it_is_made_by_place_and_by_name() -> None:
    point = Point(1, y=2, seen=[3])
    assert (point.x, point.y, point.seen) == (1, 2, [3])
    assert Point(1).seen == []
    assert Point(1).seen is not Point(1).seen
    with pytest.raises(TypeError, match="positional"):
        Point(1, 2, [3])  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'x'"):
        Point()  # type: ignore[call-arg]


def test_it_shows_what_it_holds() -> None:
    assert repr(Point(1, seen=[3])) == "Point(x=1, y=0)"
    assert repr(Nothing()) == "Nothing()"


def test_it_is_equal_to_one_of_its_class_with_the_same_values() -> None:
    assert Point(1) == Point(1, 0)
    assert Point(1) != Point(2)
    assert Point(1) != Named(1)
    assert Point(1) != object()
    assert Nothing() == Nothing()
    assert len({Nothing(), Nothing()}) == 1
    assert hash(Positive(1)) == hash(Positive(1))
    assert Positive(1) == Positive(2)


def test_it_cannot_be_changed() -> None:
    point = Point(1)
    for change in (lambda: setattr(point, "x", 2), lambda: setattr(point, "z", 2), lambda: delattr(point, "x")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            change()  # type: ignore[no-untyped-call]


def test_a_subclass_has_the_fields_of_both() -> None:
    named = Named(1, 2, "there", seen=[3])
    assert dataclasses.astuple(named) == (1, 2, [3], "there")
    assert vars(Named)["__slots__"] == ("name",)


def test_what_is_made_is_looked_at_by_the_class_itself() -> None:
    with pytest.raises(ValueError, match="-1"):
        Positive(-1)


def test_the_standard_library_knows_it() -> None:
    point = Point(1, seen=[3])
    assert dataclasses.is_dataclass(Point)
    assert dataclasses.replace(point, y=5) == Point(1, 5, seen=[3])
    assert dataclasses.asdict(point) == {"x": 1, "y": 0, "seen": [3]}
    assert copy.copy(point) == point
    assert copy.deepcopy(point).seen is not point.seen
    assert pickle.loads(pickle.dumps(point)) == point
    match point:
        case Point(x, y):
            assert (x, y) == (1, 0)
        case _:
            pytest.fail("it did not match")


def test_a_default_that_could_be_changed_is_refused() -> None:
    with pytest.raises(ValueError, match="default_factory"):

        @dataclass(frozen=True, slots=True)
        class _Wrong:
            items: list[int] = []  # noqa: RUF012


def test_what_is_not_frozen_is_made_by_the_standard_library() -> None:
    @dataclass(slots=True)
    class Changing:
        number: int = 0

    changing = Changing()
    changing.number = 1
    assert changing == Changing(1)


def test_every_class_of_ours_is_what_the_standard_library_would_make_of_it() -> None:
    """In a process of its own, where every module is imported anew and each class is declared both ways."""
    done = subprocess.run([sys.executable, __file__], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 200


def _compare_all() -> int:
    """Import everything and compare; how many classes there were."""
    found: list[tuple[type, bool, type]] = []
    declared = values._declared

    def both(plain: type, *, kw_only: bool) -> type:
        ours = declared(plain, kw_only=kw_only)
        if isinstance(vars(ours)["__init__"], values._Init):
            found.append((plain, kw_only, ours))
        return ours

    values._declared = both
    for module in pkgutil.walk_packages(sluice.__path__, "sluice."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    for plain, kw_only, ours in found:
        theirs: Any = dataclasses.dataclass(frozen=True, slots=True, kw_only=kw_only)(plain)
        assert _described(ours) == _described(theirs), ours
    return len(found)


def _described(cls: Any) -> Any:
    parameters = [
        (one.name, one.kind, one.default is inspect.Parameter.empty)
        for one in inspect.signature(cls).parameters.values()
    ]
    fields = [(one.name, one.type, one.default, one.default_factory, one.kw_only) for one in dataclasses.fields(cls)]
    return parameters, fields, cls.__match_args__, tuple(cls.__slots__), cls.__hash__ is None


if __name__ == "__main__":
    sys.stdout.write(f"{_compare_all()}\n")
