"""A command group within the command line: some of its commands are imported only when they are called."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from typing import ClassVar

import click

_EXAMPLE = "\n\n\b\nExample:"


def with_examples_last(command: click.Command) -> click.Command:
    """A command, and those in it, whose help ends with the example of its text: behind the options."""
    text, mark, example = inspect.cleandoc(command.help or "").rpartition(_EXAMPLE)
    if mark and not command.epilog:
        command.help, command.epilog = text, f"{_EXAMPLE}{example}".lstrip("\n")
    if isinstance(command, click.Group):
        for one in command.commands.values():
            with_examples_last(one)
    return command


class SubcommandGroup(click.Group):
    """A group; `elsewhere` has, by command name, `module:attribute` in `sluice.cli` and the line of help."""

    elsewhere: ClassVar[Mapping[str, tuple[str, str]]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*super().list_commands(ctx), *self.elsewhere})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if entry := self.elsewhere.get(cmd_name):
            module, _, attribute = entry[0].partition(":")
            command = getattr(importlib.import_module(f"sluice.cli.{module}"), attribute)
            return with_examples_last(command) if isinstance(command, click.Command) else None
        return super().get_command(ctx, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        own = {name: command.get_short_help_str() for name, command in self.commands.items()}
        texts = {**own, **{name: text for name, (_, text) in self.elsewhere.items()}}
        with formatter.section("Commands"):
            formatter.write_dl(sorted(texts.items()))


class DiscreetCommand(click.Command):
    """Does not repeat stray arguments: with a blank too much, one of them is a secret."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if type(error) is not click.UsageError:
                raise
            raise click.UsageError("there is an argument too many: only NAME stands without an option", ctx) from None
