"""What the commands share that look at a pipeline file without running it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sluice.cli.installation import current_user
from sluice.cli.run import pairs

if TYPE_CHECKING:
    from sluice.runs.compiling import Given, Identity, PipelineFile

parameter_option = click.option(
    "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="A parameter of the pipeline."
)
repository_option = click.option(
    "--repository", "repositories", multiple=True, metavar="ALIAS=PATH", help="A checkout of a repository."
)


def asked_file(
    file: Path, parameters: tuple[str, ...], repositories: tuple[str, ...], *, branch: str = "", untrusted: str = ""
) -> tuple[PipelineFile, Given, Identity]:
    """The pipeline file, what is given with it, and who asks; `branch` and `untrusted` say whose changes it has."""
    from sluice.cli.template_permits import LookedAt
    from sluice.runs.compiling import Given, Identity, find_file

    pipeline = find_file(file)
    source = replace(pipeline.source, branch=branch or pipeline.source.branch, untrusted=untrusted)
    pipeline = replace(pipeline, source=source)
    given = Given(
        parameters=pairs("parameter", parameters),
        repositories={name: Path(path) for name, path in pairs("repository", repositories).items()},
        others=LookedAt(pipeline),
    )
    return pipeline, given, Identity(pipeline=pipeline.name, requested_by=current_user())
