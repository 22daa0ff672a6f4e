"""How commands print data: a table for people, JSON with `--output json`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import click

from sluice.errors import NotFoundError, UsageError

MAX_DIGITS = 18
"""Every number of so many digits fits into a database's column."""

Command = TypeVar("Command", bound=Callable[..., Any])

output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print data.",
)
project_option = click.option("--project", default="default", show_default=True, help="The project to work in.")


def _run_number(value: str) -> int:
    """The number of a run; one that no database could hold is no run's either."""
    text = value.strip()
    if not (text.isascii() and text.isdecimal()):
        raise click.BadParameter(f"'{value}' is not a number: see 'sluice runs list'")
    if len(text.lstrip("0")) > MAX_DIGITS:
        raise NotFoundError(f"there is no run {text[:MAX_DIGITS]}...", do="see 'sluice runs list'")
    return int(text[-MAX_DIGITS:])


run_argument = click.argument("run_id", metavar="RUN", type=_run_number)


def as_time(seconds: float | None) -> str:
    """A time as people and programs read it: UTC, to the second; '' for none."""
    return "" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def days(text: str) -> float:
    """The days that `30d` (or `30`) means, in seconds; raises `UsageError`."""
    number = text.strip().removesuffix("d")
    if not (number.isascii() and number.isdecimal() and len(number) <= 5):
        raise UsageError(f"'{text}' is no number of days", do="write it as 30d")
    return int(number) * 24 * 3600.0


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
