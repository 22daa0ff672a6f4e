"""What is wrong with a pipeline: collected, so that one compilation names everything."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sluice.errors import Location, PipelineError, Problem

if TYPE_CHECKING:
    from sluice.language.tree import Node

MAX_PROBLEMS = 100


class Problems:
    """Collects problems and notes (what is legal, but not acted on, or probably a mistake)."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, Location], Problem] = {}
        self._notes: dict[str, None] = {}
        self._files: dict[str, int] = {}
        self._broken: set[Location] = set()
        self._included: dict[str, Location] = {}

    def add(self, what: str, node: Node, *, do: str = "") -> None:
        """Record a problem at a node."""
        self.add_at(what, node.where, do=do)

    def add_at(self, what: str, where: Location, *, do: str = "") -> None:
        """Record a problem at a place; the same problem at the same place counts once.

        Of a template the place that first included it is told as well.
        """
        if where not in self._broken and len(self._found) <= MAX_PROBLEMS:
            self._files.setdefault(where.file, len(self._files))
            included = self._included.get(where.file)
            if included is not None:
                do = f"{do}; included from {included}" if do else f"included from {included}"
            self._found.setdefault((what, where), Problem(what, where, do))

    def include(self, file: str, where: Location) -> None:
        """Record that a file is included from that place."""
        self._included.setdefault(file, where)

    def note(self, text: str, node: Node) -> None:
        """Record something that a person should know although it is no error."""
        self.note_at(text, node.where)

    def note_at(self, text: str, where: Location) -> None:
        """Record something that a person should know of a place."""
        if len(self._notes) < MAX_PROBLEMS:
            self._notes[f"{where}: {text}"] = None

    def broken(self, node: Node) -> None:
        """Whatever else may be said of this place follows from a problem recorded already."""
        self._broken.add(node.where)

    def __bool__(self) -> bool:
        return bool(self._found)

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes)

    def raise_if_any(self) -> None:
        """Raise `PipelineError` with all problems in the order of the files."""
        if self._found:
            raise self.error()

    def error(self) -> PipelineError:
        """All problems, in the order of the files and of their lines."""
        found = sorted(
            self._found.values(),
            key=lambda problem: (
                (self._files[problem.where.file], problem.where.line, problem.where.column)
                if problem.where
                else (0, 0, 0)
            ),
        )
        if len(found) > MAX_PROBLEMS:
            found = [*found[:MAX_PROBLEMS], Problem(f"more than {MAX_PROBLEMS} problems: the rest is not shown")]
        return PipelineError(found)


def nearest(word: str, known: Iterable[str], count: int = 1) -> list[str]:
    """The names that a person may have meant, best first; case does not count."""
    import difflib  # only what is wrong needs it

    by_folded = {name.casefold(): name for name in known}
    close = difflib.get_close_matches(word.casefold()[:100], by_folded, n=count, cutoff=0.6)
    return [by_folded[name] for name in close]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The advice `did you mean 'x'?`, or '' when nothing is near."""
    close = nearest(word, known)
    return f"did you mean '{close[0]}'?" if close else ""
