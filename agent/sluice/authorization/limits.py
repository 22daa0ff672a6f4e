"""What a Permit may be limited to: stages, branches, tasks. Azure Pipelines permits whole pipelines only. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from fnmatch import fnmatchcase

from sluice.errors import UsageError
from sluice.values import dataclass

_REF = "refs/"
_HEADS = "refs/heads/"
_TASK = re.compile(r"[^\s@]+(@\d+)?")
_MOST = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where a permitted pipeline may use a resource; an empty list does not limit.

    `stages` are names of stages, `branches` refs in which `*` stands for anything, `tasks` are `Name@Major` or `Name`.
    Every list that is not empty has to be met. Names ignore case, refs do not.
    """

    stages: tuple[str, ...] = ()
    branches: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.stages or self.branches or self.tasks)

    def __str__(self) -> str:
        parts = ((word, getattr(self, word)) for word in ("stages", "branches", "tasks"))
        return "; ".join(f"{word} {', '.join(values)}" for word, values in parts if values)

    @classmethod
    def of(cls, stages: Iterable[str] = (), branches: Iterable[str] = (), tasks: Iterable[str] = ()) -> Limits:
        """Limits as a person writes them; a branch without `refs/` is one of `refs/heads/`. Raises `UsageError`."""
        named = tuple(_checked("stage", stage) for stage in stages)
        refs = tuple(_full_ref(_checked("branch", branch)) for branch in branches)
        for task in (used := tuple(_checked("task", task) for task in tasks)):
            if not _TASK.fullmatch(task):
                raise UsageError(f"'{task}' names no task", do="write it as in the pipeline: Name@1, or Name")
        return cls(stages=_sorted(named), branches=_sorted(refs), tasks=_sorted(used))

    @classmethod
    def parse(cls, text: str) -> Limits:
        """The limits that `text` wrote; '' are none. Raises ValueError for a text that says anything else."""
        if not text:
            return cls()
        values = json.loads(text)
        if not isinstance(values, dict) or not values.keys() <= {field.name for field in fields(cls)}:
            raise ValueError("not the limits of a permit")
        return cls(**{name: tuple(map(str, values[name])) for name in values})

    def text(self) -> str:
        """The limits as they are stored: the same text for the same limits, '' for none."""
        values = {field.name: list(getattr(self, field.name)) for field in fields(self) if getattr(self, field.name)}
        return json.dumps(values, separators=(",", ":"), sort_keys=True) if values else ""

    def as_json(self) -> Mapping[str, list[str]]:
        """The limits as data, only the lists that limit."""
        return {field.name: list(getattr(self, field.name)) for field in fields(self) if getattr(self, field.name)}

    def exceeded_by(self, *, stage: str, branch: str, task: str) -> str:
        """What of a use is not within the limits, as a phrase ('' when all of it is)."""
        if self.stages and stage.casefold() not in {one.casefold() for one in self.stages}:
            return f"stage '{stage}' is not one of {_quoted(self.stages)}"
        if self.branches and not any(fnmatchcase(branch, _literal(one)) for one in self.branches):
            return f"branch '{branch}' is not one of {_quoted(self.branches)}"
        if self.tasks and not any(_is_task(task, one) for one in self.tasks):
            return f"task '{task}' is not one of {_quoted(self.tasks)}" if task else "no task asks for it"
        return ""


def _checked(word: str, text: str) -> str:
    name = text.strip()
    if not name or not name.isprintable():
        raise UsageError(f"a permit cannot be limited to the {word} '{name}'")
    return name


def _sorted(values: tuple[str, ...]) -> tuple[str, ...]:
    if len(values) > _MOST:
        raise UsageError(f"a permit is limited to {_MOST} stages, branches or tasks at most")
    return tuple(sorted(set(values)))


def _full_ref(branch: str) -> str:
    return branch if branch.startswith((_REF, "*")) else f"{_HEADS}{branch}"


def _literal(pattern: str) -> str:
    """The pattern with `*` as its only wildcard."""
    return pattern.replace("[", "[[]").replace("?", "[?]")


def _is_task(task: str, wanted: str) -> bool:
    name = task if "@" in wanted else task.partition("@")[0]
    return bool(task) and name.casefold() == wanted.casefold()


def _quoted(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}'" for name in names)
