"""Takes fields and secrets from the command line, standard input, files, the environment or a prompt."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import click

from sluice.connections.references import MAX_SECRET_BYTES, decode_secret, read_environment, read_file
from sluice.errors import UsageError
from sluice.secret import Secret

if TYPE_CHECKING:
    from sluice.hooks.declaration import Field

HOW = "write KEY=- to be asked for it (or to give it on standard input), KEY=@file, or KEY=env:NAME"


def parse_values(texts: Iterable[str]) -> dict[str, str]:
    """`KEY=VALUE` texts of `--set`."""
    values: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip():
            raise UsageError("--set takes KEY=VALUE")
        _once(values, key.strip(), "--set")
        values[key.strip()] = value
    return values


def parse_references(texts: Iterable[str]) -> dict[str, str]:
    """`KEY=REFERENCE` texts of `--secret-ref`."""
    references: dict[str, str] = {}
    for text in texts:
        key, equals, reference = text.partition("=")
        if not equals or not key.strip():
            raise UsageError("--secret-ref takes KEY=REFERENCE, such as password=env:NAME")
        _once(references, key.strip(), "--secret-ref")
        references[key.strip()] = reference.strip()
    return references


def read_secrets(texts: Iterable[str]) -> dict[str, Secret]:
    """`KEY=-`, `KEY=@file` and `KEY=env:NAME` texts of `--secret`, read now.

    A secret that stands on the command line itself is refused: others see it in the list of processes, and the shell
    keeps it. What was written is not repeated.
    """
    secrets: dict[str, Secret] = {}
    from_input = ""
    for text in texts:
        key, equals, source = text.partition("=")
        key = key.strip()
        if not equals or not key:
            raise UsageError("--secret takes KEY=-, KEY=@file or KEY=env:NAME")
        _refuse_plain(source, HOW)
        _once(secrets, key, "--secret")
        if source == "-" and not sys.stdin.isatty():
            if from_input:
                raise UsageError("standard input holds one secret only", do="give the others by file or environment")
            from_input = key
        secrets[key] = _read(key, source)
    return secrets


def read_secret(label: str, source: str) -> Secret:
    """The one secret of an option that takes `-`, `@file` or `env:NAME`; `label` is what a person is asked for."""
    _refuse_plain(source, "write - to be asked for it (or to give it on standard input), @file, or env:NAME")
    return _read(label, source)


def _refuse_plain(source: str, how: str) -> None:
    if source != "-" and not source.startswith(("@", "env:")):
        raise UsageError("a secret is not taken from the command line, where others can see it", do=how)


def prompt_secret(label: str) -> Secret:
    """Ask for a secret on the terminal, twice, without showing it."""
    value = click.prompt(label, hide_input=True, confirmation_prompt=True, err=True, type=str)
    return Secret(value)


def prompt_missing(
    fields: Iterable[Field], given: Mapping[str, object], public: Mapping[str, str]
) -> dict[str, Secret]:
    """Ask for the required secrets that were not given, or when there is none at all, for one that may be empty.

    `public` are the values among what was given. Nothing where there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        return {}
    known = {key.casefold() for key in given}
    every = tuple(fields)
    chosen = {field.key.casefold(): field.default for field in every}
    chosen |= {key.casefold().rpartition(".")[2]: value for key, value in public.items()}
    secret = [field for field in every if field.secret and not field.generated and field.applies(chosen)]
    asked = {
        field.key: prompt_secret(field.label)
        for field in secret
        if field.required and field.key.casefold() not in known
    }
    if asked or any(field.key.casefold() in known for field in secret):
        return asked
    plain = next((field for field in secret if field.kind != "multiline"), None)
    return {plain.key: found} if plain and (found := _optional_secret(plain.label)) else {}


def _optional_secret(label: str) -> Secret | None:
    question = f"{label} (empty for none)"
    value = click.prompt(question, hide_input=True, default="", show_default=False, err=True, type=str)
    if value and value != click.prompt("Repeat for confirmation", hide_input=True, err=True, type=str):
        raise UsageError("the two entered values do not match", do="nothing was stored: try again")
    return Secret(value) if value else None


def confirm(question: str, *, otherwise: str) -> bool:
    """Ask a yes-or-no question on the terminal; where there is none, `UsageError` says what to give instead."""
    if not sys.stdin.isatty():
        raise UsageError("this needs a confirmation, and there is no terminal to ask on", do=otherwise)
    return click.confirm(question, err=True)


def say(text: str) -> None:
    """A sentence for the person, on stderr."""
    click.echo(f"sluice: {text}", err=True)


def _read(key: str, source: str) -> Secret:
    if source == "-":
        if sys.stdin.isatty():
            return prompt_secret(key)
        secret = decode_secret(sys.stdin.buffer.read(MAX_SECRET_BYTES + 1), "standard input")
        if not secret:
            raise UsageError(f"standard input holds nothing for the secret '{key}'")
        return secret
    if source.startswith("@"):
        from pathlib import Path

        secret = read_file(str(Path(source[1:]).expanduser().absolute()))
        if not secret:
            raise UsageError(f"the file '{source[1:]}' holds nothing for the secret '{key}'")
        return secret
    return read_environment(source.removeprefix("env:"))


def _once(seen: Mapping[str, object], key: str, option: str) -> None:
    if key.casefold() in {name.casefold() for name in seen}:
        raise UsageError(f"{option} names '{key}' twice")
