"""`sluice variable-group`: the group, whose commands are imported when they are called, and what only reads."""

from __future__ import annotations

from typing import ClassVar

import click

from sluice.cli.installation import guard_of, opened_database, opened_groups
from sluice.cli.output import output_option, print_fields, print_json, print_table, project_option
from sluice.cli.subcommands import SubcommandGroup


class _Group(SubcommandGroup):
    elsewhere: ClassVar = {
        "create": ("variable_group_edit:create", "Store a new variable group."),
        "update": ("variable_group_edit:update", "Set or unset variables; the rest stays."),
        "delete": ("variable_group_edit:delete", "Delete a variable group."),
        "permit": ("variable_group_permit:permit", "Permit a pipeline to use it."),
        "revoke": ("variable_group_permit:revoke", "Take a pipeline's permit away."),
        "roles": ("variable_group_permit:roles", "Who may see, use and administer it."),
    }


@click.group(cls=_Group, name="variable-group")
def command() -> None:
    """Variable groups: variables and secrets that pipelines share (`- group: NAME` under `variables`).

    \b
    Example: sluice variable-group create settings --set region=north --secret token=-
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("list")
@project_option
@output_option
def list_command(*, project: str, output: str) -> None:
    """List the variable groups of a project.

    \b
    Example: sluice variable-group list --output json
    """  # noqa: D301  # as above
    from sluice.cli.variable_group_view import as_json
    from sluice.library import lookup
    from sluice.storage import projects

    with opened_database() as database, database.read() as transaction:
        groups = lookup.listed(transaction, projects.find(transaction, project).id, guard_of(database))
    if output == "json":
        print_json([as_json(group) for group in groups])
        return
    rows = [
        {
            "name": group.name,
            "variables": len(group.names()),
            "secrets": len(group.secrets) + len(group.references),
            "description": group.description,
        }
        for group in groups
    ]
    empty = "no variable groups yet: make one with 'sluice variable-group create'"
    print_table(rows, ["name", "variables", "secrets", "description"], empty=empty)


@command.command("show")
@click.argument("name")
@project_option
@output_option
def show_command(name: str, *, project: str, output: str) -> None:
    """Show a variable group: its variables, which secrets are set, and who may use it. Secrets are never shown.

    \b
    Example: sluice variable-group show settings
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import pipelines_of
    from sluice.cli.variable_group_view import as_fields, as_json, as_rows
    from sluice.library.store import resource_of

    with opened_groups() as groups:
        group = groups.get(project, name)
        pipelines = pipelines_of(groups.database, resource_of(group))
    if output == "json":
        print_json({**as_json(group), "pipelines": pipelines})
        return
    print_fields(as_fields(group, pipelines))
    click.echo()
    print_table(as_rows(group), ["variable", "value"], empty="it has no variables")


@command.command("history")
@click.argument("name")
@click.option("--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many uses.")
@project_option
@output_option
def history_command(name: str, *, limit: int, project: str, output: str) -> None:
    """List the uses of a variable group, newest first.

    \b
    Example: sluice variable-group history settings
    """  # noqa: D301  # as above
    from sluice.cli.output import as_time
    from sluice.runs.identifiers import DEFAULT

    with opened_groups() as groups:
        records = groups.history(groups.get(project, name), limit=limit)
    rows = [
        {
            "started": as_time(record.started_at),
            "finished": as_time(record.finished_at),
            "pipeline": record.pipeline,
            "run": record.run_id or "",
            "stage": "" if record.stage == DEFAULT else record.stage,
            "job": record.job,
            "result": record.result,
        }
        for record in records
    ]
    if output == "json":
        print_json(rows)
        return
    columns = ["started", "pipeline", "run", "stage", "job", "result"]
    print_table(rows, columns, empty="it has not been used yet")
