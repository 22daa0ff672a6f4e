"""`sluice preview`: the pipeline with its templates and expressions expanded, as YAML that compiles to the same."""

from __future__ import annotations

from pathlib import Path

import click

from sluice.cli.output import output_option, print_json
from sluice.cli.pipeline_file import asked_file, parameter_option, repository_option
from sluice.cli.run import DEFAULT_FILE
from sluice.cli.session import task_catalogue


@click.command(epilog="Example: sluice preview azure-pipelines.yml --parameter environment=test")
@click.argument("file", type=click.Path(path_type=Path), default=DEFAULT_FILE)
@parameter_option
@repository_option
@output_option
def command(*, file: Path, parameters: tuple[str, ...], repositories: tuple[str, ...], output: str) -> None:
    """Print the pipeline FILE as one file with nothing left to expand. No run is made."""
    from sluice.runs.compiling import preview_file

    pipeline, given, identity = asked_file(file, parameters, repositories)
    text = preview_file(pipeline, given, catalogue=task_catalogue(), identity=identity)
    if output == "json":
        print_json({"finalYaml": text})
    else:
        click.echo(text, nl=not text.endswith("\n"))
