"""`sluice variable-group create`, `update` and `delete`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import click

from sluice.cli.connection_entry import confirm, parse_references, parse_values, read_secrets, say
from sluice.cli.installation import current_user, opened_groups
from sluice.cli.output import output_option, print_json, project_option
from sluice.cli.subcommands import DiscreetCommand

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.library.store import GroupOutcome

_VALUE_HELP = "A variable that is not secret: NAME=VALUE."
_SEALED_HELP = (
    "A secret: NAME=- asks (or reads standard input), NAME=@file, NAME=env:VARIABLE. Never the secret itself."
)
_REFERENCE_HELP = "Where to read a secret at each use, in place of its value: NAME=env:VARIABLE, NAME=file:/path."


def _entry_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--secret-ref", "references", multiple=True, metavar="NAME=REF", help=_REFERENCE_HELP),
        click.option("--secret", "secrets", multiple=True, metavar="NAME=SOURCE", help=_SEALED_HELP),
        click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help=_VALUE_HELP),
    ):
        command = option(command)
    return command


@click.command("create", cls=DiscreetCommand)
@click.argument("name")
@_entry_options
@click.option("--description", default="", help="What it is for.")
@click.option("--allow-all-pipelines", is_flag=True, help="Grant access permission to all pipelines.")
@project_option
@output_option
def create(
    name: str,
    *,
    values: tuple[str, ...],
    secrets: tuple[str, ...],
    references: tuple[str, ...],
    description: str,
    allow_all_pipelines: bool,
    project: str,
    output: str,
) -> None:
    """Store a new variable group. A pipeline needs a permit to use it, unless all are allowed.

    \b
    Example: sluice variable-group create settings --set region=north --secret token=@token.txt
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.library.group import GroupDraft

    draft = GroupDraft(
        name=name,
        description=description,
        variables=parse_values(values),
        references=parse_references(references),
        secrets=read_secrets(secrets),
    )
    with opened_groups() as groups:
        outcome = groups.create(project, draft, by=current_user(), all_pipelines=allow_all_pipelines)
    _report(outcome, f"created the variable group '{outcome.group.name}'", output)


@click.command("update", cls=DiscreetCommand)
@click.argument("name")
@_entry_options
@click.option("--unset", multiple=True, metavar="NAME", help="Remove a variable (several: repeat).")
@click.option("--name", "new_name", default=None, help="Another name; its id and permits stay.")
@click.option("--description", default=None, help="What it is for.")
@click.option(
    "--allow-untrusted",
    "untrusted",
    type=click.Choice(["none", "pull-requests", "forks"]),
    default=None,
    help="Which runs of pull requests or forks may use it although it holds secrets; none unless this says so.",
)
@project_option
@output_option
def update(
    name: str,
    *,
    values: tuple[str, ...],
    secrets: tuple[str, ...],
    references: tuple[str, ...],
    unset: tuple[str, ...],
    new_name: str | None,
    description: str | None,
    untrusted: str | None,
    project: str,
    output: str,
) -> None:
    """Change a variable group; what is not named stays, its id and permits too.

    \b
    Example: sluice variable-group update settings --set region=south --unset oldName
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.library.group import GroupUpdate

    change = GroupUpdate(
        name=new_name,
        description=description,
        variables=parse_values(values),
        references=parse_references(references),
        secrets=read_secrets(secrets),
        unset=unset,
    )
    with opened_groups() as groups:
        outcome = groups.update(project, name, change, by=current_user())
        if untrusted is not None and groups.let_in(project, outcome.group.id, untrusted, by=current_user()):
            outcome = replace(outcome, changed=(*outcome.changed, "allowUntrusted"))
    done = f"updated the variable group '{outcome.group.name}': {', '.join(outcome.changed)}"
    _report(outcome, done if outcome.changed else f"'{outcome.group.name}' is as it was", output)


@click.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
@output_option
def delete(name: str, *, yes: bool, project: str, output: str) -> None:
    """Delete a variable group, its secrets and its permits. Its usage history and audit entries stay.

    \b
    Example: sluice variable-group delete settings --yes
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.cli.connection_view import pipelines_of
    from sluice.library.store import resource_of

    with opened_groups() as groups:
        group = groups.get(project, name)
        pipelines = pipelines_of(groups.database, resource_of(group))
        whose = f"permitted for: {', '.join(pipelines)}" if pipelines else "no pipeline is permitted to use it"
        if not yes and not confirm(
            f"Delete the variable group '{group.name}' ({whose})?", otherwise=f"add --yes; {whose}"
        ):
            raise click.Abort
        groups.delete(project, group.id, by=current_user())
    if output == "json":
        print_json({"id": group.id, "name": group.name, "deleted": True, "pipelines": pipelines})
        return
    click.echo(f"deleted the variable group '{group.name}'")


def _report(outcome: GroupOutcome, done: str, output: str) -> None:
    from sluice.cli.variable_group_view import as_json

    for warning in outcome.warnings:
        say(f"warning: {warning}")
    if outcome.revoked:
        say(f"{len(outcome.revoked)} permit(s) were revoked: the next run of each pipeline asks again")
    if output == "json":
        print_json({**as_json(outcome.group), "changed": list(outcome.changed), "revoked": len(outcome.revoked)})
        return
    click.echo(done)
