"""Rules that say when a task shows an input (`visibleRule`), and so which required inputs a step leaves out.

A rule is `name = value` or `name != value`, several of them joined by `&&` or by `||`. Where an input's group has a rule
too, both must hold: they are written one a line. The service evaluates rules in its editor only, so a rule that is not of this form hides the input: then nothing is said about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sluice.hooks.declaration import Input
    from sluice.language.tasks import TaskDefinition

_CLAUSE = re.compile(r"\s*([\w.\-]+)\s*(==|=|!=)\s*(.*?)\s*\Z", re.DOTALL)
_MAX_DEPTH = 16
"""So many inputs may hang on each other; it bounds the work for any manifest."""

_LATER = ("$(", "$[", "${{")


def missing_inputs(definition: TaskDefinition, written: Mapping[str, str]) -> list[Input]:
    """The required inputs that a step leaves out although they show; `written` are its inputs as it spells them."""
    values = {one.name.casefold(): one.default for one in definition.inputs}
    for name, value in written.items():
        known = definition.input(name)
        values[(known.name if known else name).casefold()] = value
    missing = [one for one in definition.inputs if one.required and not values[one.name.casefold()].strip()]
    if not missing:
        return []
    shown = _shown(definition, values)
    return [one for one in missing if one.name.casefold() in shown]


def _shown(definition: TaskDefinition, values: Mapping[str, str]) -> set[str]:
    """The inputs that show, in lower case: one that does not show takes those along whose rules ask for its value."""
    shown = {one.name.casefold(): values[one.name.casefold()] for one in definition.inputs}
    for _ in range(_MAX_DEPTH):
        still = _still_shown(definition, shown)
        if len(still) == len(shown):
            break
        shown = still
    return set(shown)


def _still_shown(definition: TaskDefinition, shown: Mapping[str, str]) -> dict[str, str]:
    names = (
        one.name.casefold()
        for one in definition.inputs
        if one.name.casefold() in shown and is_visible(one.visible, lambda name: shown.get(name.casefold()))
    )
    return {name: shown[name] for name in names}


def is_visible(rule: str, value_of: Callable[[str], str | None]) -> bool:
    """Whether an input shows; not when that depends on what is only known later."""
    return all(_is_met(one, value_of) for one in rule.splitlines() if one.strip())


def both_rules(group: str, own: str) -> str:
    """The rule of an input that has one of its own and is in a group with one; either may be ''."""
    rules = (" ".join(rule.split()) for rule in (group, own))
    return "\n".join(dict.fromkeys(rule for rule in rules if rule))


def _is_met(rule: str, value_of: Callable[[str], str | None]) -> bool:
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
