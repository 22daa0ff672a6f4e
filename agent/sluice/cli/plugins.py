"""`sluice plugins`: what is loaded, disabled or broken, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import click

from sluice.cli.output import output_option, print_json, print_table
from sluice.cli.subcommands import SubcommandGroup


class PluginsGroup(SubcommandGroup):
    """`sluice plugins`."""

    elsewhere: ClassVar[Mapping[str, tuple[str, str]]] = {
        "new": ("plugins_new:command", "Write a new plugin: type, verification, task, tests, README."),
    }


@click.group("plugins", cls=PluginsGroup)
def command() -> None:
    """What plugins are loaded and which are broken; write a new one.

    \b
    Example: sluice plugins list
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("list")
@output_option
def list_command(*, output: str) -> None:
    """List every plugin: loaded, disabled (by SLUICE_DISABLE_PLUGINS), or broken and why.

    \b
    Example: sluice plugins list --output json
    """  # noqa: D301  # as above
    from sluice.hooks.manager import installed

    rows = [
        {
            "name": report.name,
            "state": report.state,
            "distribution": report.distribution,
            "version": report.version,
            "module": report.module,
            "hooks": list(report.hooks) if output == "json" else ", ".join(report.hooks),
            "problem": report.problem,
        }
        for report in installed().reports
    ]
    if output == "json":
        print_json(rows)
        return
    print_table(
        rows,
        ["name", "state", "distribution", "version", "hooks", "problem"],
        empty="no plugins are installed",
    )
