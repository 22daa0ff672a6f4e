"""`sluice pipeline`: the pipelines that are known, and the variables that stay with one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from sluice.cli.connection_entry import parse_values, read_secrets, say
from sluice.cli.installation import current_user, guard_of, opened_database, opened_store
from sluice.cli.output import output_option, print_fields, print_json, print_table, project_option
from sluice.cli.subcommands import DiscreetCommand, SubcommandGroup
from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.library.settings import Settings
    from sluice.storage.engine import Database
    from sluice.storage.pipelines import Pipeline


class _Group(SubcommandGroup):
    elsewhere: ClassVar = {
        "create": ("pipeline_create:create", "Make a file a pipeline, permitted what it names now."),
        "roles": ("pipeline_create:roles", "Who may see, start and change it."),
        "delete": ("pipeline_delete:delete", "Delete one, with its runs."),
    }


@click.group(cls=_Group, name="pipeline")
def command() -> None:
    """Pipelines, and their settings: variables that stay, for every run that is not given others.

    \b
    Example: sluice pipeline variable set release --set region=north --secret token=-
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("list")
@project_option
@output_option
def list_command(*, project: str, output: str) -> None:
    """List the pipelines of a project; one is known from its first run or setting on.

    \b
    Example: sluice pipeline list --output json
    """  # noqa: D301  # as above
    from sluice.library.settings import read
    from sluice.runs import pipelines
    from sluice.storage import projects

    with opened_database() as database, database.read() as transaction:
        found = pipelines.listed(transaction, projects.find(transaction, project).id, guard_of(database))
        rows = [
            {
                "id": one.id,
                "name": one.name,
                "source": one.source,
                "variables": len(read(transaction, one.id).names()),
            }
            for one in found
        ]
    if output == "json":
        print_json(rows)
        return
    print_table(
        rows, ["id", "name", "variables", "source"], empty="no pipelines yet: one is known from its first run on"
    )


@command.command("show")
@click.argument("pipeline")
@project_option
@output_option
def show_command(pipeline: str, *, project: str, output: str) -> None:
    """Show a pipeline (its name, number or file) and its variables. Secrets are never shown.

    \b
    Example: sluice pipeline show release
    """  # noqa: D301  # as above
    from sluice.library.settings import read

    with opened_database() as database:
        found = known(database, project, pipeline)
        with database.read() as transaction:
            settings = read(transaction, found.id)
    _show(found, settings, output)


@command.group("variable")
def variable() -> None:
    """Variables of a pipeline that stay: every run has them, below those of queue time and of the YAML.

    \b
    Example: sluice pipeline variable set release --set region=north
    """  # noqa: D301  # as above


@variable.command("set", cls=DiscreetCommand)
@click.argument("pipeline")
@click.option("--set", "values", multiple=True, metavar="NAME=VALUE", help="A variable that is not secret.")
@click.option(
    "--secret",
    "secrets",
    multiple=True,
    metavar="NAME=SOURCE",
    help="A secret: NAME=- asks (or reads standard input), NAME=@file, NAME=env:VARIABLE. Never the secret itself.",
)
@project_option
@output_option
def set_command(pipeline: str, *, values: tuple[str, ...], secrets: tuple[str, ...], project: str, output: str) -> None:
    """Set variables of a PIPELINE (its name, number or file); the others stay.

    \b
    Example: sluice pipeline variable set release --set region=north --secret token=env:TOKEN
    """  # noqa: D301  # as above
    from sluice.language.predefined_names import is_predefined
    from sluice.library.settings import SettingsStore

    public, sealed = parse_values(values), read_secrets(secrets)
    if not public and not sealed:
        raise UsageError("nothing to set", do="give --set NAME=VALUE or --secret NAME=-")
    if taken := sorted(filter(is_predefined, (*public, *sealed))):
        raise UsageError(f"'{taken[0]}' is predefined and read-only", do="choose another name")
    with opened_store() as store:
        found = known(store.database, project, pipeline, new=True)
        settings = SettingsStore(store.database, store.sealer, guard=store.guard)
        for warning in settings.set(found, public, sealed, by=current_user()):
            say(f"warning: {warning}")
        after = settings.read(found)
    if output == "json":
        _show(found, after, output)
        return
    click.echo(f"set for the pipeline '{found.name}': {', '.join((*public, *sealed))}")


@variable.command("unset")
@click.argument("pipeline")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@project_option
@output_option
def unset_command(pipeline: str, names: tuple[str, ...], *, project: str, output: str) -> None:
    """Remove variables of a PIPELINE. A run that waits goes on without those that are secret.

    \b
    Example: sluice pipeline variable unset release token
    """  # noqa: D301  # as above
    from sluice.library.settings import SettingsStore

    with opened_store() as store:
        found = known(store.database, project, pipeline)
        settings = SettingsStore(store.database, store.sealer, guard=store.guard)
        gone = settings.unset(found, names, by=current_user())
        after = settings.read(found)
    if output == "json":
        _show(found, after, output)
        return
    click.echo(f"removed from the pipeline '{found.name}': {', '.join(gone)}")


def known(database: Database, project: str, name: str, *, new: bool = False) -> Pipeline:
    """The pipeline of that name, number or file; with `new` a file that has never been run becomes known."""
    import time

    from sluice.runs.compiling import find_file, place_of
    from sluice.runs.pipelines import get, register
    from sluice.storage import projects

    path = Path(name)
    if path.is_file():
        if new:
            guard = guard_of(database)
            return register(database, project, find_file(path), by=current_user(), at=time.time(), guard=guard)[1]
        name = str(place_of(path))
    with database.read() as transaction:
        return get(transaction, projects.find(transaction, project).id, name, guard_of(database))


def _show(pipeline: Pipeline, settings: Settings, output: str) -> None:
    if output == "json":
        print_json(_as_json(pipeline, settings))
        return
    print_fields({"name": pipeline.name, "id": pipeline.id, "source": pipeline.source})
    click.echo()
    rows = [{"variable": name, "value": settings.variables.get(name, "(secret, set)")} for name in settings.names()]
    print_table(rows, ["variable", "value"], empty="it has no variables of its own")


def _as_json(pipeline: Pipeline, settings: Settings) -> dict[str, Any]:
    return {
        "id": pipeline.id,
        "name": pipeline.name,
        "source": pipeline.source,
        "variables": dict(settings.variables),
        "secrets": sorted(settings.secrets),
    }
