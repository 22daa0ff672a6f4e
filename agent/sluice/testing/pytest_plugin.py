"""Fixtures for authors of plugins; loaded by pytest through the entry point `sluice`.

Nothing of Sluice is imported until a test asks for a fixture, since pytest loads this everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sluice.hooks.connection import Connection
    from sluice.testing.ssh_host import SshHost
    from sluice.testing.task_runner import TaskOutcome


@pytest.fixture
def sluice_run_task() -> Callable[..., TaskOutcome]:
    """Runs a task handler with given inputs and connections; see `sluice.testing.task_runner.run_task`."""
    from sluice.testing.task_runner import run_task

    return run_task


@pytest.fixture
def sluice_connection() -> Callable[..., Connection]:
    """Makes an opened service connection: type, then parameters and data; see `make_connection`."""
    from sluice.testing.connections import make_connection

    return make_connection


@pytest.fixture
def sluice_ssh_hosts() -> Iterator[Callable[..., SshHost]]:
    """Starts throw-away SSH hosts with the given options of `SshHost`; they end with the test."""
    from contextlib import ExitStack

    from sluice.testing.ssh_host import SshHost

    with ExitStack() as running:
        yield lambda **options: running.enter_context(SshHost(**options))


@pytest.fixture
def sluice_ssh_host() -> Iterator[SshHost]:
    """A throw-away SSH host on loopback that accepts a password; `.connection()` is a connection to it."""
    import secrets

    from sluice.testing.ssh_host import SshHost

    with SshHost(password=secrets.token_urlsafe(12)) as host:
        yield host
