"""What an installation has to carry out runs with: tasks of Azure Pipelines, of plugins, and installed packages."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.hooks.declaration import Task
    from sluice.language.plan import Plan
    from sluice.language.tasks import TaskCatalogue
    from sluice.runtime.packages.installed import InstalledPackages
    from sluice.runtime.packages.store import TaskStore
    from sluice.storage.home import Home

TIMEOUT_VARIABLE = "SLUICE_PERMISSION_TIMEOUT_MINUTES"


class Installation:
    """The tasks of one state folder, and how long its runs wait. Nothing is read before it is asked for."""

    def __init__(self, home: Home) -> None:
        self.home = home

    def tasks(self) -> TaskCatalogue:
        """The built-in tasks of Azure Pipelines, those of plugins, and the installed packages."""
        return _catalogue_of(self.packages())

    def packages(self) -> InstalledPackages:
        """The task packages that are installed."""
        return _packages_of(self.task_store(), os.environ.get("SLUICE_NODE", ""))

    def task_store(self) -> TaskStore:
        """Where the task packages lie."""
        return _store_at(self.home)

    @property
    def wait_seconds(self) -> float:
        """How long runs wait for a Permit; raises `UsageError` for what is no time."""
        from sluice.runs.orchestrator import WAIT_SECONDS

        text = os.environ.get(TIMEOUT_VARIABLE, "").strip()
        if not text:
            return WAIT_SECONDS
        try:
            minutes = float(text)
        except ValueError:
            minutes = 0
        if not 0 < minutes <= 43200:
            raise UsageError(f"{TIMEOUT_VARIABLE} must be a number of minutes up to 43200 (30 days)")
        return minutes * 60


def find_task(reference: str) -> Task | None:
    """The Python handler of a task; plugins are loaded when the first one is looked up."""
    from sluice.hooks.manager import installed

    return installed().tasks.get(reference.casefold())


def missing_tasks(plan: Plan) -> list[str]:
    """Notes on the steps whose tasks nobody here carries out, each at its place."""
    found: dict[str, None] = {}
    for step in plan.steps():
        if not step.package and not _is_handled(step.task.value):
            found[
                f"{step.task.where}: the task '{step.task.value}' is not installed: its step fails when it starts"
            ] = None
    return list(found)


@functools.cache
def _catalogue_of(packages: InstalledPackages) -> TaskCatalogue:
    from sluice.hooks.manager import installed
    from sluice.language.tasks import TaskCatalogue

    return TaskCatalogue(installed().tasks.values(), packages=packages)


@functools.cache
def _packages_of(store: TaskStore, node: str) -> InstalledPackages:
    from sluice.runtime.packages.installed import InstalledPackages

    return InstalledPackages(store=store, handled=_is_handled, built_in=_is_built_in, node=node)


@functools.cache
def _store_at(home: Home) -> TaskStore:
    from sluice.runtime.packages.store import TaskStore
    from sluice.storage.vouching import Voucher

    return TaskStore(home.root / "tasks", Voucher(home.audit_key))


def _is_built_in(reference: str) -> bool:
    """Whether Azure Pipelines itself has a task of that name."""
    from sluice.language.tasks import TaskCatalogue

    return TaskCatalogue().find_own(reference) is not None


def _is_handled(reference: str) -> bool:
    """Whether Sluice itself or a plugin carries the task out."""
    from sluice.hooks.manager import installed
    from sluice.runtime.handlers import find_native

    return find_native(reference) is not None or reference.casefold() in installed().tasks
