"""`sluice validate`: compile a pipeline and name everything that is wrong with it. No run is made, nothing is stored."""

from __future__ import annotations

from pathlib import Path

import click

from sluice.cli.output import output_option, plain, print_json
from sluice.cli.pipeline_file import asked_file, parameter_option, repository_option
from sluice.cli.run import DEFAULT_FILE
from sluice.cli.session import task_catalogue
from sluice.errors import ExitCode, PipelineError, Problem
from sluice.runs.installation import missing_tasks


@click.command(epilog="Example: sluice validate azure-pipelines.yml --parameter environment=test")
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
@parameter_option
@repository_option
@output_option
def command(*, file: Path, parameters: tuple[str, ...], repositories: tuple[str, ...], output: str) -> int:
    """Check the pipeline FILE: every problem with its line and column, exit status 2 when there is one.

    What is legal and cannot be run by Sluice yet is a problem too: 'sluice run' refuses it with the same words.
    Service connections are not looked up: whether they exist is known where the pipeline runs.
    """
    from sluice.language.unsupported import refuse_unsupported
    from sluice.runs.compiling import compile_file

    pipeline, given, identity = asked_file(file, parameters, repositories)
    try:
        plan = compile_file(pipeline, given, catalogue=task_catalogue(), identity=identity)
        refuse_unsupported(plan)
    except PipelineError as error:
        if output == "text":
            raise
        print_json({"valid": False, "problems": [_describe(problem) for problem in error.problems], "notes": []})
        return ExitCode.USAGE
    jobs = sum(len(stage.jobs) for stage in plan.stages)
    notes = [*plan.notes, *missing_tasks(plan)]
    if output == "json":
        print_json({"valid": True, "problems": [], "notes": notes})
    else:
        for note in notes:
            click.echo(f"note: {plain(note)}")
        stages = f"{len(plan.stages)} stage{'' if len(plan.stages) == 1 else 's'}"
        click.echo(f"{plain(pipeline.shown)} is valid: {stages}, {jobs} job{'' if jobs == 1 else 's'}")
    return ExitCode.SUCCEEDED


def _describe(problem: Problem) -> dict[str, object]:
    where = problem.where
    return {
        "message": problem.what,
        "file": where.file if where else "",
        "line": where.line if where else 0,
        "column": where.column if where else 0,
        "hint": problem.do,
    }
