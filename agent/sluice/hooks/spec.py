"""Every hook of Sluice. A plugin implements any of them under the same name, marked with `sluice.plugin.hookimpl`.

Implementations may leave out arguments that they don't need. Two plugins that offer the same name (of a connection
type, a task, a secret reference, ...) are an error that names both.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from sluice.hooks.checks import CheckType
    from sluice.hooks.declaration import Family
    from sluice.hooks.observation import RunEvent
    from sluice.hooks.ports import KeyProvider, SecretSource, SecretStore

NAME = "sluice"
"""Name of the entry-point group, and of the pluggy project."""

hookspec = pluggy.HookspecMarker(NAME)
hookimpl = pluggy.HookimplMarker(NAME)


@hookspec
def sluice_family() -> Family:  # type: ignore[empty-body]  # a hook specification has no body
    """Called once, when types or tasks are first needed: answer what the plugin offers."""


@hookspec
def sluice_check_types() -> Iterable[CheckType]:  # type: ignore[empty-body]  # as above
    """Called when a check is configured, shown or evaluated: answer the kinds of checks that the plugin offers."""


@hookspec
def sluice_secret_sources() -> Mapping[str, SecretSource | SecretStore]:  # type: ignore[empty-body]  # as above
    """Called when a secret reference is checked or resolved: answer a source by reference prefix (`vault` for `vault:path`)."""


@hookspec
def sluice_key_providers() -> Mapping[str, KeyProvider]:  # type: ignore[empty-body]  # as above
    """Called when the master key is needed: answer a provider by its name in `SLUICE_KEY_PROVIDER`."""


@hookspec
def sluice_run_event(event: RunEvent) -> None:
    """Called after a change of a run, stage, job or step was stored; `event` holds no secret.

    An observer that raises is reported once and the run goes on.
    """


@hookspec
def sluice_commands() -> Mapping[str, click.Command]:  # type: ignore[empty-body]  # as above
    """Called when a command is not one of Sluice's own: answer further commands by name."""
