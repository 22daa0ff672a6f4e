"""The runs of this installation, opened for one command."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.cli.installation import current_user, opened_store
from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.language.tasks import TaskCatalogue
    from sluice.runs.check_configuring import Configurations
    from sluice.runs.check_decisions import CheckDecisions
    from sluice.runs.decisions import Decisions
    from sluice.runs.orchestrator import Orchestrator
    from sluice.runtime.packages.installed import InstalledPackages
    from sluice.runtime.packages.store import TaskStore
    from sluice.storage.home import Home

TIMEOUT_VARIABLE = "SLUICE_PERMISSION_TIMEOUT_MINUTES"


@contextmanager
def opened_orchestrator() -> Iterator[Orchestrator]:
    """The runs of this installation; the database is closed at the end."""
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.home import Home

    with opened_store() as store:
        home = store.database.home or Home.find()
        yield Orchestrator(store.database, home, store, task_catalogue, wait_seconds=_wait_seconds())


def decisions_of(orchestrator: Orchestrator) -> Decisions:
    """What this user decides."""
    from sluice.runs.decisions import Decisions

    guard = orchestrator.store.guard
    return Decisions(database=orchestrator.database, clock=orchestrator.clock, by=current_user(), guard=guard)


def check_decisions_of(orchestrator: Orchestrator) -> CheckDecisions:
    """What this user decides about checks."""
    from sluice.runs.check_decisions import CheckDecisions

    guard = orchestrator.store.guard
    return CheckDecisions(database=orchestrator.database, clock=orchestrator.clock, guard=guard)


def configurations_of(orchestrator: Orchestrator) -> Configurations:
    """The checks on resources as this user changes them."""
    from sluice.runs.check_configuring import Configurations

    return Configurations(orchestrator=orchestrator, guard=orchestrator.store.guard)


def task_catalogue() -> TaskCatalogue:
    """The built-in tasks of Azure Pipelines, those of plugins, and the installed packages."""
    return _catalogue_of(task_packages())


def task_packages() -> InstalledPackages:
    """The task packages of this installation. Nothing is read before one is looked up."""
    return _packages_of(task_store(), os.environ.get("SLUICE_NODE", ""))


def task_store() -> TaskStore:
    """Where the task packages of this installation lie."""
    from sluice.storage.home import Home

    return _store_at(Home.find())


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


def missing_tasks(plan: Plan) -> list[str]:
    """Notes on the steps whose tasks nobody here carries out, each at its place."""
    found: dict[str, None] = {}
    for step in plan.steps():
        if not step.package and not _is_handled(step.task.value):
            found[
                f"{step.task.where}: the task '{step.task.value}' is not installed: its step fails when it starts"
            ] = None
    return list(found)


def _wait_seconds() -> float:
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
