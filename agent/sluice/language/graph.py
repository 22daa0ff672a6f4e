"""The `dependsOn` graph of stages, or of the jobs of a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.language.problems import did_you_mean
from sluice.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sluice.errors import Location
    from sluice.language.plan import Text
    from sluice.language.problems import Problems


@dataclass(frozen=True, slots=True)
class Unit:
    """A stage or job: what it depends on as written, and where it stands."""

    name: str
    wanted: tuple[Text, ...]
    where: Location


def resolve(
    units: Sequence[Unit], what: str, problems: Problems, *, incomplete: bool = False
) -> Mapping[str, tuple[str, ...]]:
    """The direct dependencies of each unit, spelt as the units are; names ignore case.

    Unknown names, a unit that depends on itself, and cycles are problems; in an `incomplete` graph unknown names are not.
    """
    known = {unit.name.casefold(): unit.name for unit in units}
    graph: dict[str, tuple[str, ...]] = {}
    for unit in units:
        found: dict[str, None] = {}
        for text in unit.wanted:
            name = known.get(text.value.casefold())
            if name is None and incomplete:
                continue
            if name is None:
                advice = did_you_mean(text.value, known.values())
                if "$(" in text.value or text.value.startswith("$["):
                    advice = "'dependsOn' is read when the run is created: only '${{ }}' can be used"
                problems.add_at(
                    f"{what} '{unit.name}' depends on '{text.value}', which does not exist", text.where, do=advice
                )
            elif name == unit.name:
                problems.add_at(f"{what} '{unit.name}' depends on itself", text.where)
            else:
                found[name] = None
        graph[unit.name] = tuple(found)
    cycle = _cycle(graph)
    if cycle:
        where = next(unit.where for unit in units if unit.name == cycle[0])
        chain = " -> ".join([*cycle, cycle[0]])
        problems.add_at(f"{what}s depend on each other in a circle: {chain}", where)
    return graph


def _cycle(graph: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The members of one cycle in the order of their dependencies, none when there is no cycle."""
    done: set[str] = set()
    for start in graph:
        path: dict[str, None] = {}
        open_edges = [(start, iter(graph[start]))] if start not in done else []
        if open_edges:
            path[start] = None
        while open_edges:
            name, edges = open_edges[-1]
            following = next((edge for edge in edges if edge not in done), None)
            if following is None:
                open_edges.pop()
                done.add(name)
                del path[name]
            elif following in path:
                members = list(path)
                return members[members.index(following) :]
            else:
                path[following] = None
                open_edges.append((following, iter(graph[following])))
    return []
