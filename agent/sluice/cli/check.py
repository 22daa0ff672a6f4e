"""`sluice check`: what has to pass before a stage uses a resource."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar

import click

from sluice.cli.checking import ON, approver_options, entered, resource_named, say_stored, setting_options
from sluice.cli.connection_entry import confirm
from sluice.cli.output import output_option, plain, print_fields, print_json, print_table, project_option
from sluice.cli.session import configurations_of, opened_orchestrator
from sluice.cli.subcommands import SubcommandGroup
from sluice.errors import NotFoundError, NotPermittedError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sluice.runs.check_configuring import On
    from sluice.runs.orchestrator import Orchestrator
    from sluice.storage.check_configurations import ConfigurationRow

CHECK = click.argument("check_id", metavar="CHECK", type=click.IntRange(1, 10**9))


class Group(SubcommandGroup):
    """Checks on resources; what is decided in runs is imported when it is called."""

    elsewhere: ClassVar = {
        "types": ("check_types:command", "List the kinds of checks, or show what one of them takes."),
        "simulate": ("check_simulate:command", "Evaluate a check for a run that you make up."),
        "bypass": ("check_bypass:bypass", "Let a running check of a run count as passed."),
        "rerun": ("check_bypass:rerun", "Ask a check of a run that passed once more."),
        "reassign": ("check_bypass:reassign", "Give an approver's part to somebody else."),
        "complete": ("check_complete:command", "Hand over the answer of a service that was asked to call back."),
    }


@click.group(name="check", cls=Group)
def command() -> None:
    """Checks: what has to pass before a stage uses a connection, an environment or another resource.

    \b
    Example: sluice check add approval --environment production --approver alice
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("add")
@click.argument("kind")
@ON
@approver_options
@setting_options
@project_option
@output_option
def add_command(kind: str, *, project: str, output: str, **given: Any) -> None:
    """Put a check on a resource. KIND is one of those that 'sluice check types' lists.

    Runs whose stage waits already are not concerned: their checks were fixed when they began.

    \b
    Example: sluice check add approval --environment production --approver alice --approver bob --minimum 1
             sluice check add business-hours --connection web --set startTime=08:00 --set endTime=17:00
    """  # noqa: D301  # as above
    with opened_orchestrator() as orchestrator:
        configurations = configurations_of(orchestrator)
        found = orchestrator.kinds().get(kind)
        where, name = resource_named(given)
        row = configurations.add(project, where, name, found, entered(given))
        say_stored(orchestrator, configurations, row, output, "added")


@command.command("update")
@CHECK
@click.option("--unset", "unset", multiple=True, metavar="KEY", help="A setting to take away (several: repeat).")
@approver_options
@setting_options
@project_option
@output_option
def update_command(check_id: int, *, project: str, output: str, **given: Any) -> None:
    """Change a check; what is not named stays. Checkpoints that have begun keep what they began with.

    \b
    Example: sluice check update 3 --timeout 2h
    """  # noqa: D301  # as above
    with opened_orchestrator() as orchestrator:
        configurations = configurations_of(orchestrator)
        row = configurations.update(project, check_id, entered(given))
        say_stored(orchestrator, configurations, row, output, "updated")


@command.command("list")
@ON
@project_option
@output_option
def list_command(*, project: str, output: str, **given: Any) -> None:
    """List the checks of a project, or of one resource.

    \b
    Example: sluice check list --environment production
    """  # noqa: D301  # as above
    with opened_orchestrator() as orchestrator:
        where, name = resource_named(given, required=False)
        found = configurations_of(orchestrator).listed(project, kind=where, name=name)
        if output == "json":
            print_json([describe(orchestrator, row, on) for row, on in found])
            return
        rows = [
            {
                "id": row.id,
                "check": label(orchestrator, row),
                "on": f"{on.label.lower()} '{on.name}'",
                "settings": shown_settings(_by_name(orchestrator, row, project)),
                "timeout": minutes(row.timeout),
                "state": "disabled" if row.disabled else "",
            }
            for row, on in found
        ]
    columns = ["id", "check", "on", "settings", "timeout", "state"]
    print_table(rows, columns, empty="No checks yet. Add one: sluice check add KIND --environment NAME")


@command.command("show")
@CHECK
@project_option
@output_option
def show_command(check_id: int, *, project: str, output: str) -> None:
    """Show a check and its settings; secret ones by name only.

    \b
    Example: sluice check show 3
    """  # noqa: D301  # as above
    with opened_orchestrator() as orchestrator:
        configurations = configurations_of(orchestrator)
        with orchestrator.database.read() as transaction:
            row, on = configurations.get(transaction, project, check_id)
        described = describe(orchestrator, row, on)
        if output == "json":
            print_json(described)
            return
        fields = {
            "check": f"{label(orchestrator, row)} ({row.kind})",
            "on": f"{on.label.lower()} '{on.name}'",
            **_by_name(orchestrator, row, project),
            **dict.fromkeys(row.secret_names, "***"),
            "timeout": minutes(row.timeout),
            "retry interval": minutes(row.retry_interval) if row.retry_interval else "none: one decision is final",
            "state": "disabled" if row.disabled else "enabled",
            "created": f"{described['createdOn']} by {row.created_by}",
            "modified": f"{described['modifiedOn']} by {row.modified_by}",
        }
        print_fields({key: value for key, value in fields.items() if value})


def _by_name(orchestrator: Orchestrator, row: ConfigurationRow, project: str) -> dict[str, str]:
    """The settings, with the names of connections in place of their ids, as far as the person sees these."""
    from sluice.authorization.checks.approval import APPROVER_IDS

    kind = orchestrator.kinds().find(row.kind)
    settings = {key: value for key, value in row.settings.items() if key != APPROVER_IDS}
    for field in kind.fields if kind else ():
        if field.kind == "connection" and settings.get(field.key):
            with contextlib.suppress(NotFoundError, NotPermittedError):
                settings[field.key] = orchestrator.store.get(project, settings[field.key]).name
    return settings


@command.command("remove")
@CHECK
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
def remove_command(check_id: int, *, yes: bool, project: str) -> None:
    """Remove a check. Checkpoints that ask it already go on doing so.

    \b
    Example: sluice check remove 3 --yes
    """  # noqa: D301  # as above
    with opened_orchestrator() as orchestrator:
        configurations = configurations_of(orchestrator)
        with orchestrator.database.read() as transaction:
            row, on = configurations.get(transaction, project, check_id)
        what = f"the {label(orchestrator, row)} check of {on.label.lower()} '{plain(on.name)}'"
        if not yes and not confirm(f"Remove {what}?", otherwise="add --yes"):
            raise click.Abort
        configurations.remove(project, check_id)
        click.echo(f"removed {what}")


@command.command("disable")
@CHECK
@project_option
def disable_command(check_id: int, *, project: str) -> None:
    """Leave a check out of the checkpoints that begin from now on.

    \b
    Example: sluice check disable 3
    """  # noqa: D301  # as above
    _switch(check_id, project, disabled=True)


@command.command("enable")
@CHECK
@project_option
def enable_command(check_id: int, *, project: str) -> None:
    """Take a check that was disabled in again.

    \b
    Example: sluice check enable 3
    """  # noqa: D301  # as above
    _switch(check_id, project, disabled=False)


def _switch(check_id: int, project: str, *, disabled: bool) -> None:
    with opened_orchestrator() as orchestrator:
        row = configurations_of(orchestrator).set_disabled(project, check_id, disabled=disabled)
        click.echo(f"check {row.id} ({label(orchestrator, row)}) is {'disabled' if row.disabled else 'enabled'}")


def label(orchestrator: Orchestrator, row: ConfigurationRow) -> str:
    """What a kind of check is called; its name where no plugin offers it any more."""
    kind = orchestrator.kinds().find(row.kind)
    return kind.label if kind else f"{row.kind} (no plugin offers it)"


def minutes(count: int) -> str:
    """A duration as people say it."""
    for size, name in ((1440, "days"), (60, "hours")):
        if count >= size and count % size == 0:
            return f"{count // size} {name if count // size > 1 else name[:-1]}"
    return f"{count} minutes" if count != 1 else "1 minute"


def shown_settings(settings: Mapping[str, str]) -> str:
    """The settings on one line, shortened."""
    text = ", ".join(f"{key}={' '.join(value.split())}" for key, value in settings.items())
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}..."


_WIDTH = 60


def describe(orchestrator: Orchestrator, row: ConfigurationRow, on: On) -> dict[str, Any]:
    """A check as JSON values."""
    from sluice.cli.output import as_time

    return {
        "id": row.id,
        "version": row.version,
        "kind": row.kind,
        "label": label(orchestrator, row),
        "resource": {"type": on.resource.type, "id": on.resource.id, "name": on.name},
        "settings": dict(row.settings),
        "secrets": list(row.secret_names),
        "timeout": row.timeout,
        "retryInterval": row.retry_interval,
        "isDisabled": row.disabled,
        "createdBy": row.created_by,
        "createdOn": as_time(row.created_at),
        "modifiedBy": row.modified_by,
        "modifiedOn": as_time(row.modified_at),
    }
