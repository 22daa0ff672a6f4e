"""What the commands on checks share: naming a resource, and entering settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.runs.check_configuring import Configurations, Entered
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.check_configurations import ConfigurationRow

Command = TypeVar("Command", bound=Callable[..., Any])

_RESOURCES = {
    "connection": ("endpoint", "The service connection that it is on."),
    "environment": ("environment", "The environment that it is on."),
    "variable-group": ("variablegroup", "The variable group that it is on."),
    "secure-file": ("securefile", "The secure file that it is on."),
    "repository": ("repository", "The repository that it is on."),
    "pool": ("queue", "The agent pool that it is on."),
}


class Minutes(click.ParamType[int]):
    """A duration in minutes: 90, or with a unit 90m, 2h, 30d."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """See `click.ParamType`."""
        if isinstance(value, int):
            return value
        found = _DURATION.fullmatch(value.strip().lower())
        if found is None:
            self.fail(f"'{value}' is no time: write minutes (90), or 90m, 2h, 30d", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


MINUTES = Minutes()
_DURATION = re.compile(r"([+-]?[0-9]{1,9})\s*([mhd]?)")
_UNITS = {"": 1, "m": 1, "h": 60, "d": 1440}


def ON(command: Command) -> Command:  # noqa: N802  # reads as the other decorators of options do
    """Options that name one resource."""
    for name, (kind, text) in reversed(_RESOURCES.items()):
        command = click.option(f"--{name}", f"on_{kind}", default="", metavar="NAME", help=text)(command)
    return command


def setting_options(command: Command) -> Command:
    """Options for the settings that a kind of check declares, and for its times."""
    for option in (
        click.option("--retry-interval", type=MINUTES, default=None, help="Time between evaluations: 10, 10m, 2h, 1d."),
        click.option(
            "--timeout", type=MINUTES, default=None, help="Time until it gives up: 90 (minutes), 90m, 2h, 30d."
        ),
        click.option(
            "--secret",
            "secrets",
            multiple=True,
            metavar="KEY=SOURCE",
            help="A secret setting: KEY=- asks (or reads standard input), KEY=@file, KEY=env:NAME.",
        ),
        click.option(
            "--set", "values", multiple=True, metavar="KEY=VALUE", help="A setting; see 'sluice check types KIND'."
        ),
    ):
        command = option(command)
    return command


def approver_options(command: Command) -> Command:
    """Short names for the settings of approvals."""
    for option in (
        click.option("--instructions", default=None, metavar="TEXT", help="What approvers are told."),
        click.option(
            "--requester-may-not-approve/--requester-may-approve",
            "no_requester",
            default=None,
            help="Whether who queued the run is left out.",
        ),
        click.option("--minimum", type=int, default=None, metavar="N", help="How many approvals it takes; 0: all."),
        click.option(
            "--in-sequence/--any-order", "in_sequence", default=None, help="Whether one is asked after the other."
        ),
        click.option(
            "--approver", "approvers", multiple=True, metavar="NAME", help="A user or group (several: repeat)."
        ),
    ):
        command = option(command)
    return command


def resource_named(given: Mapping[str, Any], *, required: bool = True) -> tuple[str, str]:
    """The kind and name of the one resource that the options name; '' for none where that may be."""
    named = [(kind, given[f"on_{kind}"]) for kind, _ in _RESOURCES.values() if given[f"on_{kind}"]]
    if len(named) > 1 or (required and not named):
        options = ", ".join(f"--{name}" for name in _RESOURCES)
        raise UsageError("a check is on one resource", do=f"name it with one of {options}")
    return named[0] if named else ("", "")


def entered(given: Mapping[str, Any]) -> Entered:
    """What the options say of a check."""
    from sluice.cli.connection_entry import parse_values, read_secrets
    from sluice.runs.check_configuring import Entered

    settings = dict(parse_values(given["values"]))
    short: dict[str, str | None] = {
        "approvers": ",".join(given["approvers"]) or None,
        "minRequiredApprovers": None if given["minimum"] is None else str(given["minimum"]),
        "requesterCannotBeApprover": _flag(given["no_requester"]),
        "instructions": given["instructions"],
    }
    if given["in_sequence"] is not None:
        short["executionOrder"] = "inSequence" if given["in_sequence"] else "anyOrder"
    for key, value in short.items():
        if value is not None:
            if key.casefold() in {known.casefold() for known in settings}:
                raise UsageError(f"'{key}' is given twice", do="leave one of the two out")
            settings[key] = value
    return Entered(
        settings=settings,
        secrets=read_secrets(given["secrets"]),
        unset=tuple(given.get("unset", ())),
        timeout=given["timeout"],
        retry_interval=given["retry_interval"],
    )


def _flag(value: bool | None) -> str | None:  # the option's own value
    return None if value is None else "true" if value else "false"


def say_stored(
    orchestrator: Orchestrator, configurations: Configurations, row: ConfigurationRow, output: str, done: str
) -> None:
    """Say what was stored."""
    from sluice.cli.check import describe, label
    from sluice.cli.output import plain, print_json

    with orchestrator.database.read() as transaction:
        on = configurations.on(transaction, row.resource)
    if output == "json":
        print_json(describe(orchestrator, row, on))
        return
    click.echo(f"{done} check {row.id}: {label(orchestrator, row)} on {on.label.lower()} '{plain(on.name)}'")
