"""Versions and ranges of versions, as tools are asked for: `3`, `3.x`, `>=18 <20`, `^1.2`, `~1.2.3`, `1 - 2`, `a || b`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import total_ordering

from sluice.values import dataclass

_VERSION = re.compile(
    r"[v=\s]*(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-?((?:a|b|rc|alpha|beta|[0-9A-Za-z])[0-9A-Za-z.-]*))?(?:\+.*)?"
)
_PARTIAL = re.compile(
    r"[v=\s]*(?:(\d{1,9})|[xX*])(?:\.(?:(\d{1,9})|[xX*]))?(?:\.(?:(\d{1,9})|[xX*]))?(?:-?((?:a|b|rc)?[0-9A-Za-z][0-9A-Za-z.-]*))?"
)
_COMPARATOR = re.compile(r"(<=|>=|<|>|=|\^|~>?)?\s*([^\s<>=^~]+)")
_MAX_LENGTH = 256


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version; `pre` is its pre-release part ('' for a release, which comes after all of these)."""

    numbers: tuple[int, int, int]
    pre: str = ""

    def __lt__(self, other: Version) -> bool:
        return self._key() < other._key()

    def __str__(self) -> str:
        return ".".join(map(str, self.numbers)) + (f"-{self.pre}" if self.pre else "")

    def _key(self) -> tuple[tuple[int, int, int], bool, list[tuple[bool, int, str]]]:
        parts = [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in _parts(self.pre)]
        return self.numbers, not self.pre, parts


def _parts(pre: str) -> list[str]:
    return re.findall(r"\d+|[A-Za-z]+", pre[:100])


Fits = Callable[[Version], bool]


def parse_version(text: str) -> Version | None:
    """`1.2.3`, `v1.2.3`, `1.2.3-rc.1`, `3.13.0b2`; None for anything else."""
    found = _VERSION.fullmatch(text.strip()) if len(text) <= _MAX_LENGTH else None
    if found is None:
        return None
    major, minor, patch, pre = found.groups()
    return Version((int(major), int(minor), int(patch)), pre or "")


def best(versions: Iterable[Version], spec: str) -> Version | None:
    """The newest of the versions in a range; raises `ValueError` when the range cannot be read."""
    fits = parse_range(spec)
    return max(filter(fits, versions), default=None)


def parse_range(spec: str) -> Fits:
    """Whether a version is in a range; raises `ValueError` when it cannot be read.

    A pre-release is only in a range that names one of the same version, as semantic versioning has it.
    """
    if len(spec) > _MAX_LENGTH:
        raise ValueError("the version is too long")
    alternatives = [_all_of(part) for part in spec.split("||")]
    return lambda version: any(fits(version) for fits in alternatives)


def _all_of(text: str) -> Fits:
    text = text.strip()
    hyphen = re.fullmatch(r"(\S+)\s+-\s+(\S+)", text)
    if hyphen:
        text = f">={hyphen[1]} <={hyphen[2]}"
    position, comparators, named = 0, [], set()
    while position < len(text):
        found = _COMPARATOR.match(text, position)
        if found is None:
            raise ValueError(f"'{text}' is no version and no range of versions")
        fits, at = _comparator(found[1] or "", found[2])
        comparators.append(fits)
        named |= {at.numbers} if at.pre else set()
        position = found.end() + len(text[found.end() :]) - len(text[found.end() :].lstrip())
    return lambda version: (not version.pre or version.numbers in named) and all(fits(version) for fits in comparators)


def _comparator(operator: str, text: str) -> tuple[Fits, Version]:
    found = _PARTIAL.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no version and no range of versions")
    given = []
    for part in found.groups()[:3]:
        if part is None:
            break
        given.append(int(part))
    numbers = (*given, *[0] * (3 - len(given)))
    low = Version((numbers[0], numbers[1], numbers[2]), found[4] or "")
    return _fits(operator, low, len(given)), low


def _fits(operator: str, low: Version, given: int) -> Fits:
    end = _after(low, given)
    if operator == ">":
        return (lambda version: version > low) if given == 3 else (lambda version: version >= end)
    if operator == ">=":
        return lambda version: version >= low
    if operator == "<":
        return lambda version: version < low
    if operator == "<=":
        return (lambda version: version <= low) if given == 3 else (lambda version: version < end)
    if operator.startswith("~"):
        end = _after(low, min(given, 2))
    elif operator == "^":
        leading = next((index for index, number in enumerate(low.numbers[:given]) if number), given - 1)
        end = _after(low, leading + 1)
    elif given == 3:
        return lambda version: version == low
    return lambda version: low <= version < end


def _after(low: Version, given: int) -> Version:
    """The first version after all that begin with the first `given` numbers; after everything for none."""
    major, minor, patch = low.numbers
    return (
        Version((10**10, 0, 0)),
        Version((major + 1, 0, 0)),
        Version((major, minor + 1, 0)),
        Version((major, minor, patch + 1)),
    )[max(0, given)]
