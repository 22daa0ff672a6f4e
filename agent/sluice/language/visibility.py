"""Rules that say when a task shows an input (`visibleRule`), and so which required inputs a step leaves out.

A rule is `name = value` or `name != value`, several of them joined by `&&` or by `||`. The service evaluates rules in
its editor only, so a rule that is not of this form hides the input: then nothing is said about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.hooks.declaration import Input
    from sluice.language.tasks import TaskDefinition

_CLAUSE = re.compile(r"\s*([\w.\-]+)\s*(==|=|!=)\s*(.*?)\s*\Z", re.DOTALL)
_LATER = ("$(", "$[", "${{")


def missing_inputs(definition: TaskDefinition, written: Mapping[str, str]) -> list[Input]:
    """The required inputs that a step leaves out although they show; `written` are its inputs as it spells them."""
    values = {one.name.casefold(): one.default for one in definition.inputs}
    for name, value in written.items():
        known = definition.input(name)
        values[(known.name if known else name).casefold()] = value
    return [
        one
        for one in definition.inputs
        if one.required
        and not values[one.name.casefold()].strip()
        and is_visible(one.visible, lambda name: values.get(name.casefold()))
    ]


def is_visible(rule: str, value_of: Callable[[str], str | None]) -> bool:
    """Whether an input shows; not when that depends on what is only known later."""
    if not rule.strip():
        return True
    if "&&" in rule and "||" in rule:
        return False
    any_of = "||" in rule
    found = [_holds(clause, value_of) for clause in rule.split("||" if any_of else "&&")]
    return any(found) if any_of else all(found)


def _holds(clause: str, value_of: Callable[[str], str | None]) -> bool:
    match = _CLAUSE.match(clause)
    if match is None:
        return False
    name, operator, wanted = match.groups()
    value = value_of(name)
    if value is None or any(mark in value for mark in _LATER):
        return False
    same = value.strip().casefold() == wanted.strip("'\"").casefold()
    return same if operator != "!=" else not same
