"""`sluice schema`: a JSON schema of the pipeline language, for editors."""

from __future__ import annotations

import click

from sluice.cli.output import print_json


@click.command(epilog="Example: sluice schema > azure-pipelines.schema.json")
def command() -> None:
    """Print a JSON schema of the pipeline language, made from the shapes that the compiler checks.

    Editors with a YAML language server take it: it completes keys and marks unknown ones while you type.
    """
    from sluice.language.editor_schema import editor_schema

    print_json(editor_schema())
