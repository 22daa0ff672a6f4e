"""`sluice pipeline create` and `roles`: a file becomes a pipeline, and who may do what with it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sluice.cli.installation import current_user
from sluice.cli.output import output_option, plain, print_json, project_option
from sluice.cli.pipeline_file import asked_file, parameter_option, repository_option
from sluice.cli.roles import roles_command
from sluice.cli.session import opened_orchestrator, task_catalogue

if TYPE_CHECKING:
    from sluice.authorization.resources import Known
    from sluice.cli.permitting import Find
    from sluice.connections.guard import Guard
    from sluice.language.plan import Plan
    from sluice.runs.pipeline_creation import CreatedPipeline
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource
    from sluice.storage.pipelines import Pipeline


@click.command("create")
@click.argument("name")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--no-grant", is_flag=True, help="Permit nothing: the first run asks for what it needs.")
@parameter_option
@repository_option
@project_option
@output_option
def create(
    name: str,
    file: Path,
    *,
    no_grant: bool,
    parameters: tuple[str, ...],
    repositories: tuple[str, ...],
    project: str,
    output: str,
) -> None:
    """Make FILE the pipeline NAME, and permit it what its YAML names now, as far as you may permit that.

    Later changes of the YAML permit nothing by themselves. A file that is just run becomes a pipeline too, and is
    permitted nothing.

    \b
    Example: sluice pipeline create release azure-pipelines.yml
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.cli.template_permits import templates_of
    from sluice.language.unsupported import refuse_unsupported
    from sluice.runs.compiling import compile_file
    from sluice.runs.pipeline_creation import create_pipeline
    from sluice.runs.pipelines import look_up

    found, given, identity = asked_file(file, parameters, repositories)
    with opened_orchestrator() as orchestrator:

        def identify() -> Pipeline:
            with orchestrator.database.read() as transaction:
                return look_up(transaction, project, found)[1]

        def compiled() -> Plan:
            others = templates_of(orchestrator, identify, found.source)
            plan = compile_file(found, replace(given, others=others), catalogue=task_catalogue(), identity=identity)
            refuse_unsupported(plan)
            return plan

        made = create_pipeline(orchestrator, project, name, found, compiled, by=current_user(), grant=not no_grant)
    if output == "json":
        facts = {"granted": _as_json(made.granted), "notGranted": _as_json(made.left)}
        print_json({"id": made.pipeline.id, "name": made.pipeline.name, "source": made.pipeline.source, **facts})
        return
    _print(made, no_grant=no_grant)


def _print(made: CreatedPipeline, *, no_grant: bool) -> None:
    from sluice.authorization.texts import TYPE_LABELS

    click.echo(f"created the pipeline '{made.pipeline.name}'")
    for known in made.granted:
        click.echo(f"Permitted: {TYPE_LABELS[known.kind]} '{plain(known.name)}'")
    for known in made.left:
        click.echo(f"Not permitted, you lack the right: {TYPE_LABELS[known.kind]} '{plain(known.name)}'")
    for need in made.missing:
        click.echo(f"{need.where}: there is no {TYPE_LABELS[need.kind].lower()} '{plain(need.name)}' that it could use")
    if no_grant:
        click.echo("it is permitted nothing yet: the first run asks")


def _as_json(known: tuple[Known, ...]) -> list[dict[str, str]]:
    return [{"type": one.kind, "id": one.id, "name": one.name} for one in known]


def _finder(name: str) -> Find:
    def find(transaction: Transaction, project_id: int, guard: Guard) -> tuple[Resource, str]:
        from sluice.runs.pipelines import get, resource_of

        found = get(transaction, project_id, name, guard)
        return resource_of(found), found.name

    return find


roles = roles_command("pipeline", "pipeline", _finder, "sluice pipeline roles release --set ada=User")
