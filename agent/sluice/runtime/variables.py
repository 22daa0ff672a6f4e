"""The variables of a running job: looked up by any case, expanded recursively, mapped to environments."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterable, Mapping

from sluice.language import macros
from sluice.language.predefined_names import READ_ONLY, is_predefined
from sluice.runtime.logging_commands import neutralise
from sluice.runtime.masking import Masker
from sluice.runtime.predefined import OUTSIDE_TEXT, RESERVED_PREFIXES, environment_name
from sluice.runtime.request import JobVariable
from sluice.secret import Secret

Value = str | Secret

_PREDEFINED = frozenset(map(environment_name, READ_ONLY))


__all__ = ["JobVariables", "Value", "environment_name"]


class JobVariables:
    """All variables of one job. Values set while a step runs count for the steps after it, expanded then.

    Secret values are registered with the mask as soon as they are known; once secret, a variable stays so.
    """

    def __init__(self, variables: Iterable[JobVariable], masker: Masker) -> None:
        self._masker = masker
        self._lock = threading.RLock()
        self._written: dict[str, JobVariable] = {}
        self._readonly: set[str] = set()
        self._expanded: dict[str, Value] = {}
        self._environment: dict[str, str] | None = None
        self._holders: dict[str, set[str]] = {}
        """Which variables share a spelling in the environment."""
        self._snapshot: tuple[JobVariable, ...] | None = None
        self._with_macros: set[str] = set()
        self.warnings: list[str] = []
        for variable in variables:
            self.put(variable)
        self.recompute()

    def put(self, variable: JobVariable) -> None:
        """Define or overwrite, without asking whether that is allowed."""
        key = variable.name.lower()
        value = variable.value
        with self._lock:
            known = self._written.get(key)
            if isinstance(value, str) and key in OUTSIDE_TEXT:
                value = neutralise(value)
            if known is not None and isinstance(known.value, Secret) and isinstance(value, str):
                value = Secret(value)
            if (
                known is not None
                and known.value == value
                and known.readonly >= variable.readonly
                and known.preserve_case == variable.preserve_case
            ):
                return
            self._mask(value, variable.name)
            self._written[key] = JobVariable(
                name=known.name if known is not None else variable.name,
                value=value,
                readonly=variable.readonly or (known is not None and known.readonly),
                preserve_case=variable.preserve_case,
            )
            if self._written[key].readonly:
                self._readonly.add(environment_name(variable.name))
            self._expanded[key] = value
            self._snapshot = None
            (self._with_macros.add if macros.PREFIX in _reveal(value) else self._with_macros.discard)(key)
            self._respell(key, known)

    def set(self, name: str, value: Value) -> None:
        """Define or overwrite a plain one."""
        self.put(JobVariable(name=name, value=value))

    @staticmethod
    def is_predefined(name: str) -> bool:
        """Whether it belongs to the agent: a step that sets it fails."""
        return environment_name(name.strip()) in _PREDEFINED

    def is_readonly(self, name: str) -> bool:
        """Whether the pipeline, or a step, made it read-only: it keeps its value."""
        return environment_name(name) in self._readonly

    def get(self, name: str) -> Value | None:
        """The expanded value; None when there is no such variable."""
        return self._expanded.get(name.lower())

    def text(self, name: str) -> str:
        """The expanded value of a public variable, '' when it is secret or not set."""
        value = self.get(name)
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """True only for `true`, in any case."""
        return self.text(name).casefold() == "true"

    def expand(self, text: str, spell: Callable[[str], str] | None = None) -> Value:
        """`text` with its macros replaced, in one pass; a Secret when one of them is.

        `spell` makes of a public value what stands in its place, such as a path as a container calls it.
        """
        if spell is None:
            return macros.expand(text, self.get)

        def spelt(name: str) -> Value | None:
            value = self.get(name)
            return spell(value) if isinstance(value, str) else value

        return macros.expand(text, spelt)

    def recompute(self) -> None:
        """Expand all values anew, before a step."""
        with self._lock:
            if not self._with_macros:
                return
            written = {variable.name: variable.value for variable in self._written.values()}
            resolved = macros.resolve_all(written)
            for name, value in resolved.values.items():
                if value != self._expanded.get(name.lower()):
                    self._mask(value, name)
                    self._expanded[name.lower()] = value
                    self._respell(name.lower(), self._written[name.lower()])
            for warning in resolved.warnings:
                if warning not in self.warnings:
                    self.warnings.append(warning)

    def public(self) -> Mapping[str, str]:
        """The public variables by name."""
        with self._lock:
            return {
                variable.name: value
                for key, variable in self._written.items()
                if isinstance(value := self._expanded[key], str)
            }

    def everything(self) -> Mapping[str, Value]:
        """Every variable by name, secret ones too: conditions may read them."""
        with self._lock:
            return {variable.name: self._expanded[key] for key, variable in self._written.items()}

    def environment(self) -> Mapping[str, str]:
        """The public variables in their environment spelling."""
        with self._lock:
            if self._environment is None:
                self._environment, self._holders = {}, {}
                for variable in sorted(self._written.values(), key=_rank):
                    self._spell(variable)
            return dict(self._environment)

    def _respell(self, key: str, known: JobVariable | None) -> None:
        """Take a change into the environment that is known; anew when names share a spelling, or one is spelt anew."""
        if self._environment is None:
            return
        variable = self._written[key]
        anew = known is not None and known.preserve_case != variable.preserve_case
        self._spell(variable)
        if anew or len(self._holders[_spelling(variable)]) > 1:
            self._environment = None

    def _spell(self, variable: JobVariable) -> None:
        assert self._environment is not None  # noqa: S101  # both callers have looked
        spelling = _spelling(variable)
        key = variable.name.lower()
        self._holders.setdefault(spelling, set()).add(key)
        value = self._expanded[key]
        if isinstance(value, str) and _fits_environment(variable.name, value):
            self._environment[spelling] = value
        elif len(self._holders[spelling]) == 1:
            self._environment.pop(spelling, None)

    def snapshot(self) -> tuple[JobVariable, ...]:
        """All of them as they were set, to go on from later."""
        with self._lock:
            if self._snapshot is None:
                self._snapshot = tuple(self._written.values())
            return self._snapshot

    def _mask(self, value: Value, name: str) -> None:
        if isinstance(value, Secret):
            self._masker.add(value.reveal(), name)


def _rank(variable: JobVariable) -> int:
    """Of two names with one spelling the later one counts: what somebody made read-only, and what is predefined."""
    key = variable.name.lower()
    return 2 if key in READ_ONLY or is_predefined(key) else int(variable.readonly)


def _spelling(variable: JobVariable) -> str:
    return environment_name(variable.name, preserve_case=variable.preserve_case)


def _fits_environment(name: str, value: str) -> bool:
    """Names that tasks receive other things under stay out, and what would keep every later process from starting."""
    return _has_place(name) and "\0" not in value


@functools.lru_cache(maxsize=4096)
def _has_place(name: str) -> bool:
    if environment_name(name).lower().startswith(RESERVED_PREFIXES):
        return False
    return bool(name) and "=" not in name and "\0" not in name


def _reveal(value: Value) -> str:
    return value.reveal() if isinstance(value, Secret) else value
