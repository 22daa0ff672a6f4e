"""The runs of this installation, opened for one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sluice.cli.installation import current_user, opened_store

if TYPE_CHECKING:
    from sluice.language.tasks import TaskCatalogue
    from sluice.runs.check_configuring import Configurations
    from sluice.runs.check_decisions import CheckDecisions
    from sluice.runs.decisions import Decisions
    from sluice.runs.installation import Installation
    from sluice.runs.orchestrator import Orchestrator
    from sluice.runtime.packages.installed import InstalledPackages
    from sluice.runtime.packages.store import TaskStore


@contextmanager
def opened_orchestrator() -> Iterator[Orchestrator]:
    """The runs of this installation; the database is closed at the end."""
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.home import Home

    with opened_store() as store:
        home = store.database.home or Home.find()
        yield Orchestrator(store.database, home, store, task_catalogue, wait_seconds=installation().wait_seconds)


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


def installation() -> Installation:
    """What this installation has to carry out runs with."""
    from sluice.runs.installation import Installation
    from sluice.storage.home import Home

    return Installation(Home.find())


def task_catalogue() -> TaskCatalogue:
    """The built-in tasks of Azure Pipelines, those of plugins, and the installed packages."""
    return installation().tasks()


def task_packages() -> InstalledPackages:
    """The task packages of this installation. Nothing is read before one is looked up."""
    return installation().packages()


def task_store() -> TaskStore:
    """Where the task packages of this installation lie."""
    return installation().task_store()
