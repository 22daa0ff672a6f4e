"""How results of steps come together."""

from __future__ import annotations

from sluice.runtime.request import Result

_ORDER = tuple(Result)


def merge(current: Result | None, new: Result) -> Result:
    """The worse of two, as the agent merges: what is worse than Failed stays."""
    if current is None:
        return new
    if _ORDER.index(current) > _ORDER.index(Result.FAILED):
        return current
    return new if _ORDER.index(new) >= _ORDER.index(current) else current


def read_result(text: str) -> Result | None:
    """A result as `task.complete` spells it: the exact name, or its number."""
    if text.isdecimal() and int(text) < len(_ORDER):
        return _ORDER[int(text)]
    return next((result for result in _ORDER if result.value == text), None)
