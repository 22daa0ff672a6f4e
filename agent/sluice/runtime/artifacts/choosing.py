"""Which entries of an artifact its download's patterns mean."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sluice.runtime.artifacts.manifest import Entry
from sluice.runtime.globbing import Pattern, compile_pattern, expand_braces


def choose(entries: Iterable[Entry], patterns: Sequence[str], artifact: str) -> list[Entry]:
    """The entries that patterns choose, in their order: one adds, one with a leading `!` takes away again.

    They mean the path within the artifact, with or without the artifact's name in front.
    """
    rules = [rule for pattern in patterns if (rule := _rule(pattern)) is not None]
    if not any(adds for adds, _ in rules):
        rules.insert(0, (True, [compile_pattern("**")]))
    return [entry for entry in entries if _is_chosen((entry.path, f"{artifact}/{entry.path}"), rules)]


def _rule(pattern: str) -> tuple[bool, list[Pattern]] | None:
    text = pattern.strip()
    body = text.lstrip("!").strip()
    if not body or text.startswith("#"):
        return None
    adds = (len(text) - len(text.lstrip("!"))) % 2 == 0
    return adds, [compile_pattern(one) for one in expand_braces(body)]


def _is_chosen(names: tuple[str, str], rules: Sequence[tuple[bool, list[Pattern]]]) -> bool:
    chosen = False
    for adds, expressions in rules:
        if chosen != adds and any(one.fullmatch(name) for one in expressions for name in names):
            chosen = adds
    return chosen
