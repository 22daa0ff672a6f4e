"""How commands print data: a table for people, JSON with `--output json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print data.",
)
project_option = click.option("--project", default="default", show_default=True, help="The project to work in.")


def print_json(data: object) -> None:
    """Print data as indented JSON on stdout."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False, default=str))


def print_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str], *, empty: str) -> None:
    """Print rows as aligned columns with a heading; `empty` is the sentence for no rows."""
    cells = [[plain(row.get(column, "")) for column in columns] for row in rows]
    if not cells:
        click.echo(empty)
        return
    headings = [column.replace("_", " ").upper() for column in columns]
    widths = [max(len(row[index]) for row in [headings, *cells]) for index in range(len(columns))]
    for row in [headings, *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """Print names and values below each other."""
    width = max((len(name) for name in fields), default=0)
    for name, value in fields.items():
        click.echo(f"{name.ljust(width)}  {plain(value)}".rstrip())


def plain(value: object) -> str:
    """A cell's text: no control characters, so that stored text cannot steer the terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in str(value))
