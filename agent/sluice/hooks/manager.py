"""Loads plugins by entry point, one by one: a broken plugin is reported, never fatal."""

from __future__ import annotations

import difflib
import functools
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pluggy

from sluice.errors import PluginError
from sluice.hooks import spec
from sluice.values import dataclass

if TYPE_CHECKING:
    from importlib.metadata import Distribution, EntryPoint

    import click

    from sluice.hooks.checks import CheckType
    from sluice.hooks.declaration import ConnectionType, Family, Prepare, Renewal, Task, Verify
    from sluice.hooks.observation import RunEvent
    from sluice.hooks.ports import KeyProvider, SecretSource, SecretStore
    from sluice.hooks.repository import RepositoryRule

DISABLE_VARIABLE = "SLUICE_DISABLE_PLUGINS"
"""Environment variable with the names of plugins not to load, separated by commas."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginReport:
    """What `sluice plugins list` shows of one entry point."""

    name: str
    module: str
    distribution: str
    version: str
    state: Literal["loaded", "disabled", "broken"]
    problem: str = ""
    hooks: tuple[str, ...] = ()


class PluginHost:
    """The loaded plugins. The rest of the program calls its typed methods and never touches pluggy."""

    def __init__(self, entry_points: Iterable[EntryPoint], disabled: frozenset[str] = frozenset()) -> None:
        self._manager = pluggy.PluginManager(spec.NAME)
        self._manager.add_hookspecs(spec)
        self._reports: dict[str, PluginReport] = {}
        self._silenced: set[str] = set()
        for entry_point in sorted(entry_points, key=lambda entry_point: entry_point.name):
            self._load(entry_point, disabled)

    @property
    def reports(self) -> tuple[PluginReport, ...]:
        """Every entry point found, loaded or not, by name. Asks each plugin for its family first."""
        _ = self._families
        return tuple(self._reports.values())

    @functools.cached_property
    def types(self) -> Mapping[str, ConnectionType]:
        """Connection types by casefolded name."""
        return self._gather("connection type", lambda family: ((kind.name, kind) for kind in family.types))

    @functools.cached_property
    def tasks(self) -> Mapping[str, Task]:
        """Task handlers by casefolded `Name@Major`."""
        return self._gather("task", lambda family: ((task.reference, task) for task in family.tasks))

    @functools.cached_property
    def verifiers(self) -> Mapping[str, Verify]:
        """Verifications by casefolded connection type name."""
        return self._gather("verification", lambda family: family.verify.items())

    @functools.cached_property
    def preparations(self) -> Mapping[str, Prepare]:
        """What makes stored connections usable, by casefolded connection type name."""
        return self._gather("preparation", lambda family: family.prepare.items())

    @functools.cached_property
    def renewals(self) -> Mapping[str, Renewal]:
        """How tokens are renewed, by casefolded connection type name."""
        return self._gather("renewal", lambda family: family.renew.items())

    @functools.cached_property
    def repositories(self) -> Mapping[str, RepositoryRule]:
        """How connections open repositories, by casefolded connection type name."""
        return self._gather("repository rule", lambda family: family.repositories.items())

    @functools.cached_property
    def check_types(self) -> Mapping[str, CheckType]:
        """Kinds of checks by casefolded name."""
        from sluice.hooks.checks import CheckType

        offers: list[tuple[str, Iterable[tuple[str, CheckType]]]] = []
        for name, answer in self._ask(self._manager.hook.sluice_check_types):
            kinds = tuple(answer) if isinstance(answer, Iterable) else (answer,)
            if strangers := [one for one in kinds if not isinstance(one, CheckType)]:
                wrong = type(strangers[0]).__name__
                self._break(self._reports[name], f"sluice_check_types answered a {wrong}, not check types")
            else:
                offers.append((name, [(kind.name, kind) for kind in kinds]))
        return _unite("kind of check", offers)

    @functools.cached_property
    def secret_sources(self) -> Mapping[str, SecretSource | SecretStore]:
        """Secret sources by reference prefix."""
        return self._offers("secret source", self._manager.hook.sluice_secret_sources)

    @functools.cached_property
    def key_providers(self) -> Mapping[str, KeyProvider]:
        """Key providers by name."""
        return self._offers("key provider", self._manager.hook.sluice_key_providers)

    @functools.cached_property
    def commands(self) -> Mapping[str, click.Command]:
        """Further commands by name."""
        return self._offers("command", self._manager.hook.sluice_commands)

    def observe(self, event: RunEvent) -> None:
        """Tell every observer; one that raises is reported on stderr once and told no more."""
        for plugin in self._manager.hook.sluice_run_event.get_hookimpls():
            if plugin.plugin_name in self._silenced:
                continue
            try:
                plugin.function(**dict.fromkeys(plugin.argnames, event))
            except Exception as error:  # noqa: BLE001  # an observer's defect must not stop the run
                self._silenced.add(plugin.plugin_name)
                sys.stderr.write(
                    f"sluice: plugin '{plugin.plugin_name}' failed to observe a run: {type(error).__name__}: {error}\n"
                )

    def _load(self, entry_point: EntryPoint, disabled: frozenset[str]) -> None:
        report = _report(entry_point)
        if entry_point.name in disabled:
            self._reports[entry_point.name] = replace(report, state="disabled")
            return
        if other := self._reports.get(entry_point.name):
            problem = f"the name is taken by {other.distribution or other.module}"
            self._reports[f"{entry_point.name} ({report.distribution})"] = replace(
                report, state="broken", problem=problem
            )
            return
        try:
            module = entry_point.load()
            self._manager.register(module, name=entry_point.name)
        except BaseException as error:  # whatever a module's import raises, SystemExit included, breaks it alone
            if isinstance(error, KeyboardInterrupt):
                raise
            self._break(report, f"does not load: {type(error).__name__}: {error}")
            return
        hooks = tuple(sorted(caller.name for caller in self._manager.get_hookcallers(module) or ()))
        if problem := _unknown_hooks(hooks):
            self._break(report, problem)
            return
        self._reports[entry_point.name] = replace(report, hooks=hooks)

    def _break(self, report: PluginReport, problem: str) -> None:
        if self._manager.has_plugin(report.name):
            self._manager.unregister(name=report.name)
        self._reports[report.name] = replace(report, state="broken", problem=problem, hooks=())

    @functools.cached_property
    def _families(self) -> Mapping[str, Family]:
        from sluice.hooks.declaration import Family

        families: dict[str, Family] = {}
        for name, answer in self._ask(self._manager.hook.sluice_family):
            if isinstance(answer, Family):
                families[name] = answer
            else:
                self._break(self._reports[name], f"sluice_family answered a {type(answer).__name__}, not a Family")
        return families

    def _gather(self, kind: str, items: Callable[[Family], Iterable[tuple[str, T]]]) -> Mapping[str, T]:
        offers = ((plugin, items(family)) for plugin, family in self._families.items())
        return _unite(kind, offers)

    def _offers(self, kind: str, caller: Any) -> Mapping[str, Any]:  # pluggy's hook callers are untyped
        offers: list[tuple[str, Iterable[tuple[str, Any]]]] = []
        for name, answer in self._ask(caller):
            if isinstance(answer, Mapping):
                offers.append((name, answer.items()))
            else:
                self._break(self._reports[name], f"{caller.name} answered a {type(answer).__name__}, not a mapping")
        return _unite(kind, offers)

    def _ask(self, caller: Any) -> Iterator[tuple[str, Any]]:
        """What each plugin answers to a hook; a plugin that raises is broken by that, and it alone."""
        for implementation in tuple(caller.get_hookimpls()):
            name = implementation.plugin_name
            try:
                answer = implementation.function()
            except Exception as error:  # noqa: BLE001  # a plugin's defect breaks that plugin alone
                self._break(self._reports[name], f"{caller.name} failed: {type(error).__name__}: {error}")
            else:
                yield name, answer


def _unite(kind: str, offers: Iterable[tuple[str, Iterable[tuple[str, T]]]]) -> dict[str, T]:
    united: dict[str, T] = {}
    owners: dict[str, str] = {}
    for plugin, items in offers:
        for name, value in items:
            key = name.casefold()
            if key in united:
                raise PluginError(
                    f"the {kind} '{name}' is offered by two plugins, '{owners[key]}' and '{plugin}'",
                    do=f"leave one out with {DISABLE_VARIABLE}={plugin}",
                )
            united[key], owners[key] = value, plugin
    return united


def _report(entry_point: EntryPoint) -> PluginReport:
    distribution, version = _label(entry_point.dist) if entry_point.dist else ("", "")
    return PluginReport(
        name=entry_point.name, module=entry_point.value, distribution=distribution, version=version, state="loaded"
    )


@functools.cache
def _label(distribution: Distribution) -> tuple[str, str]:
    """Name and version; its metadata, which may be long, is read once for all its plugins."""
    metadata = distribution.metadata
    return metadata["Name"], metadata["Version"]


def _unknown_hooks(names: Iterable[str]) -> str:
    known = sorted(name for name in vars(spec) if name.startswith("sluice_"))
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            return f"unknown hook '{name}'" + (
                f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(known)}"
            )
    return ""


def find_entry_points() -> Iterator[EntryPoint]:
    """The entry points of the group `sluice` in this Python environment."""
    from importlib.metadata import entry_points

    yield from entry_points(group=spec.NAME)


@functools.cache
def installed() -> PluginHost:
    """The host of this process, loaded when first asked for."""
    disabled = frozenset(name.strip() for name in os.environ.get(DISABLE_VARIABLE, "").split(",") if name.strip())
    return PluginHost(find_entry_points(), disabled)
