"""`sluice explain`: what a run would be, and what it would wait for. No run is made, nothing is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import output_option, plain, print_json, project_option
from sluice.cli.pipeline_file import asked_file, parameter_option, repository_option
from sluice.cli.run import DEFAULT_FILE, branch_option, pairs, untrusted_option
from sluice.cli.session import task_catalogue

if TYPE_CHECKING:
    from sluice.language.plan import Plan
    from sluice.runs.compiling import PipelineFile
    from sluice.runs.creation import NewRun
    from sluice.runs.explaining import ExplainedNeed, ExplainedStage
    from sluice.storage.engine import Transaction


@click.command(epilog="Example: sluice explain azure-pipelines.yml --parameter environment=test")
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
@parameter_option
@click.option(
    "--variable", "variables", multiple=True, metavar="NAME=VALUE", help="A variable, as given at queue time."
)
@repository_option
@branch_option
@untrusted_option
@project_option
@output_option
def command(
    *,
    file: Path,
    parameters: tuple[str, ...],
    variables: tuple[str, ...],
    repositories: tuple[str, ...],
    branch: str,
    untrusted: str | None,
    project: str,
    output: str,
) -> None:
    """Explain what a run of the pipeline FILE would be: its stages, what each needs, and whether that is permitted.

    What only a run can tell is said so. Nothing is run, asked or stored.
    """
    import time

    from sluice.language.unsupported import refuse_unsupported
    from sluice.runs.compiling import compile_file
    from sluice.runs.explaining import Explainer
    from sluice.runs.pipelines import require_seen_or_new

    pipeline, given, identity = asked_file(file, parameters, repositories, branch=branch, untrusted=untrusted or "")
    plan = compile_file(pipeline, given, catalogue=task_catalogue(), identity=identity)
    refuse_unsupported(plan)
    with opened_store() as store, store.database.read() as transaction:
        new = _as_new(transaction, plan, pipeline, project, pairs("variable", variables))
        require_seen_or_new(transaction, store.guard, new.project.id, new.pipeline if new.pipeline.id else None)
        explainer = Explainer(store=store, catalogue=task_catalogue(), new=new, now=time.time(), file=str(file))
        stages = explainer.stages(transaction)
    if output == "json":
        print_json(
            {
                "file": pipeline.shown,
                "pipeline": new.pipeline.name,
                "known": bool(new.pipeline.id),
                "stages": [_as_json(stage) for stage in stages],
            }
        )
        return
    _print(stages, new)


def _as_new(
    transaction: Transaction, plan: Plan, file: PipelineFile, project: str, variables: Mapping[str, str]
) -> NewRun:
    """The run that could be made; the pipeline has the number 0 when it has never been run."""
    from sluice.runs.creation import NewRun
    from sluice.storage import pipelines, projects
    from sluice.storage.pipelines import Pipeline

    home = projects.find(transaction, project)
    source = str(file.path)
    known = pipelines.by_source(transaction, home.id, source)
    return NewRun(
        plan=plan,
        project=home,
        pipeline=known or Pipeline(0, home.id, file.name, source),
        source=file.source,
        email=file.email,
        requested_by=current_user(),
        variables=variables,
    )


def _as_json(stage: ExplainedStage) -> dict[str, Any]:
    from sluice.cli.runs_view import named_stage

    forecast = stage.forecast
    return {
        "stage": named_stage(stage.name),
        "displayName": named_stage(stage.display_name),
        "verdict": str(forecast.verdict),
        "why": forecast.why,
        "condition": forecast.condition,
        "needs": [asdict(need) for need in stage.needs],
    }


def _print(stages: tuple[ExplainedStage, ...], new: NewRun) -> None:
    from sluice.cli.runs_view import named_stage
    from sluice.runs.explaining import unmet

    known = "" if new.pipeline.id else " (it has never been run)"
    click.echo(f"pipeline '{plain(new.pipeline.name)}'{known}")
    for stage in stages:
        forecast = stage.forecast
        written = named_stage(stage.name)
        name = f"stage {plain(written)}" if written else "the only stage"
        click.echo(f"\n{name}: {forecast.verdict}, {plain(forecast.why)}")
        if forecast.condition:
            click.echo(f"  condition: {plain(' '.join(forecast.condition.split()))}")
        for need in stage.needs:
            _print_need(need)
    count = unmet(stages)
    click.echo(f"\n{count} of these cannot be used yet" if count else "\nnothing is missing")


def _print_need(need: ExplainedNeed) -> None:
    from sluice.runs.explaining import label

    at = ", ".join(
        f"{word} {plain(value)}"
        for word, value in (("job", need.job), ("step", need.step), ("input", need.input))
        if value
    )
    via = f" through '{plain(need.via)}'" if need.via else ""
    click.echo(f"  {label(need.kind)} '{plain(need.name)}'{via}  {plain(need.where)}{f' ({at})' if at else ''}")
    click.echo(f"    {need.state}: {plain(need.text)}")
    if need.checks:
        click.echo(f"    checks before it is used: {plain(', '.join(need.checks))}")
    if need.mend:
        click.echo(f"    mend it: {plain(need.mend)}")
