"""Which events start a pipeline: its `resources.webhooks`, and whether a payload fulfils their filters. Pure.

Triggers are read from the entry file alone, as it is written: a template or an expression adds none.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Dict
from typing import TYPE_CHECKING

from sluice.errors import PipelineError
from sluice.language.loader import load
from sluice.language.problems import Problems
from sluice.language.tree import Mapping, Scalar, Sequence, Source
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.tree import Node

_PART = re.compile(r"""\.?([^.\[\]]+)|\[(\d{1,9})\]|\['([^']*)'\]|\["([^"]*)"\]""")


@dataclass(frozen=True, slots=True)
class Filter:
    """What one place of a payload has to be."""

    path: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """An entry of `resources.webhooks`: `alias` is the parameter that the payload becomes."""

    alias: str
    connection: str
    filters: tuple[Filter, ...] = ()

    def wants(self, payload: Dict[str, object]) -> bool:
        """Whether a payload fulfils every filter."""
        return all(text_at(payload, one.path) == one.value for one in self.filters)


def webhooks_of(file: str, text: str | bytes) -> tuple[Webhook, ...]:
    """The webhooks of an entry file; none of one that is no YAML, which whoever runs it is told."""
    try:
        root = load(Source(file), text, Problems())
    except PipelineError:
        return ()
    resources = root.get("resources") if type(root) is Mapping else None
    listed = resources.get("webhooks") if type(resources) is Mapping else None
    items = listed.items if type(listed) is Sequence else []
    return tuple(found for item in items if type(item) is Mapping and (found := _webhook(item)) is not None)


def text_at(payload: object, path: str) -> str | None:
    """The text at a path such as `resource.tags[0].name` (with or without `$.`); None where there is none.

    Numbers are as JSON has them, truth values `true` and `false`, null is ''.
    """
    at, rest = payload, path.strip().removeprefix("$")
    while rest:
        part = _PART.match(rest)
        if part is None:
            return None
        at = _step(at, part)
        if at is _NOWHERE:
            return None
        rest = rest[part.end() :]
    if at is None:
        return ""
    if isinstance(at, bool):
        return str(at).lower()
    return str(at) if isinstance(at, str | int | float) else None


_NOWHERE = object()


def _step(at: object, part: re.Match[str]) -> object:
    if part[2] is not None:
        number = int(part[2])
        return at[number] if isinstance(at, list) and number < len(at) else _NOWHERE
    name = next(one for one in (part[1], part[3], part[4]) if one is not None)
    return at.get(name, _NOWHERE) if isinstance(at, Dict) else _NOWHERE


def _webhook(item: Mapping) -> Webhook | None:
    alias, connection = _text(item.get("webhook")), _text(item.get("connection"))
    if not alias or not connection:
        return None
    listed = item.get("filters")
    filters = []
    for one in listed.items if type(listed) is Sequence else []:
        path, value = (one.get("path"), one.get("value")) if type(one) is Mapping else (None, None)
        if type(path) is not Scalar or type(value) is not Scalar:
            return None  # a filter that is not understood lets nothing through
        filters.append(Filter(path.value, value.value))
    if listed is not None and type(listed) is not Sequence:
        return None
    return Webhook(alias=alias, connection=connection, filters=tuple(filters))


def _text(node: Node | None) -> str:
    return node.value.strip() if type(node) is Scalar else ""
