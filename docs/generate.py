"""Pages that are made from the code while the site is built: hooks, connection types, commands. None of them is committed.

A hook of mkdocs (`hooks` in mkdocs.yml). What a page says stands in the declarations; only the order is decided here.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.hooks import spec
from sluice.hooks.declaration import ConnectionType, Field, Scheme
from sluice.hooks.manager import installed

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

_ADMONITION = "*Made from the code while this site was built.*\n"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the pages that stand in folders of the nav there, and those that it does not name at its end."""
    folder = Path(config.docs_dir)
    made = dict(pages())
    config.nav = [_expanded(entry, folder, made) for entry in config.nav or ()]
    named = set(re.findall(r"'([^']+\.md)'", repr(config.nav)))
    left = sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*.md") if str(path.relative_to(folder)) not in named
    )
    if left:
        config.nav.append({"More": left})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for path, text in pages():
        files.append(File.generated(config, path, content=text))
    return files


def pages() -> Iterator[tuple[str, str]]:
    """Every generated page: its path and its text."""
    yield "reference/hooks.md", hook_page()
    yield "reference/commands.md", command_page()
    kinds = sorted(installed().types.values(), key=lambda kind: kind.label.casefold())
    yield "connection-types/index.md", type_index(kinds)
    for kind in kinds:
        yield f"connection-types/{kind.name.lower()}.md", type_page(kind)


def _expanded(entry: Any, folder: Path, made: Mapping[str, str]) -> Any:
    """An entry of the nav; `name/` stands for every page below it."""
    if isinstance(entry, dict):
        return {title: _expanded(inner, folder, made) for title, inner in entry.items()}
    if isinstance(entry, list):
        return [_expanded(inner, folder, made) for inner in entry]
    if isinstance(entry, str) and entry.endswith("/"):
        found = {str(path.relative_to(folder)) for path in folder.glob(f"{entry}*.md")}
        found |= {path for path in made if path.startswith(entry)}
        return sorted(found, key=lambda path: (not path.endswith("/index.md"), path))
    return entry


def hook_page() -> str:
    """Every hook under its exact signature, and what a plugin may import."""
    import sluice.plugin

    lines = ["# Hooks and what a plugin may import", "", _ADMONITION]
    lines += ["A plugin implements hooks under their names, marked with `sluice.plugin.hookimpl`.", "", "## Hooks", ""]
    for name, function in vars(spec).items():
        if name.startswith("sluice_") and inspect.isfunction(function):
            lines += [
                f"### `{name}`",
                "",
                "```python",
                f"def {name}{_signature(function)}",
                "```",
                "",
                _text(function),
                "",
            ]
    lines += ["## What `sluice.plugin` has", "", _text(sluice.plugin), ""]
    for name in sorted(sluice.plugin.__all__):
        lines += _described(name, getattr(sluice.plugin, name))
    return "\n".join(lines)


def _described(name: str, thing: Any) -> list[str]:
    lines = [f"### `{name}`", ""]
    if inspect.isfunction(thing):
        lines += ["```python", f"def {name}{_signature(thing)}", "```", ""]
    lines += [_text(thing), ""]
    if dataclasses.is_dataclass(thing):
        lines += ["```python", *(f"{one.name}: {one.type}" for one in dataclasses.fields(thing)), "```", ""]
    methods = [
        (one, inspect.getattr_static(thing, one)) for one in vars(thing) if not one.startswith("_")
    ] if inspect.isclass(thing) else []  # fmt: skip
    for one, method in methods:
        function = method.fget if isinstance(method, property) else getattr(method, "__func__", method)
        if inspect.isfunction(function):
            shown = f"{one}{_signature(function)}"
            if isinstance(method, property):
                shown = f"{one}: {inspect.signature(function).return_annotation}"
            lines += [f"- `{shown}`: {' '.join(_text(function).split())}"]
    return [*lines, ""]


def _signature(function: Any) -> str:
    """How a function is called; annotations as they are written."""
    return str(inspect.signature(function)).replace("'", "")


def _text(thing: Any) -> str:
    """A docstring as Markdown: literal blocks become fenced ones."""
    text = inspect.getdoc(thing) or ""
    return re.sub(
        r"::\n\n((?:    .*\n?|\n)+)", lambda match: f":\n\n```python\n{inspect.cleandoc(match[1])}\n```\n", text
    )


def command_page() -> str:
    """Every command with its options."""
    from sluice.cli.main import sluice

    lines = ["# Commands", "", _ADMONITION]
    context = click.Context(sluice, info_name="sluice")
    for path, command in _commands(context, sluice, "sluice"):
        if isinstance(command, click.Group):
            continue
        inner = click.Context(command, info_name=path)
        usage = " ".join(command.collect_usage_pieces(inner))
        text = _prose(command.help or "")
        lines += [f"## `{path}`", "", "```text", f"{path} {usage}", "```", "", text, ""]
        options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
        if options:
            lines += ["| option | |", "|---|---|"]
            lines += [
                f"| `{_cell(', '.join((*one.opts, *one.secondary_opts)))}` | {_cell(one.help or '')} |"
                for one in options
            ]
            lines += [""]
        if example := _prose(command.epilog or "").removeprefix("Example:").strip():
            lines += ["```sh", example, "```", ""]
    return "\n".join(lines)


def _commands(context: click.Context, group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None:
            continue
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from _commands(click.Context(command, parent=context), command, f"{path} {name}")


def _prose(text: str) -> str:
    return inspect.cleandoc(text.replace("\b\n", "")).replace("<", "&lt;").strip()


def type_index(kinds: Sequence[ConnectionType]) -> str:
    """The overview of connection types."""
    lines = ["# Connection types", "", _ADMONITION, "| type | | schemes |", "|---|---|---|"]
    for kind in kinds:
        schemes = ", ".join(f"`{scheme.name}`" for scheme in kind.schemes)
        lines.append(
            f"| [{_cell(kind.label)}]({kind.name.lower()}.md) `{kind.name}` | {_cell(kind.summary)} | {schemes} |"
        )
    lines += ["", "Types of extensions come on top: see [an existing `.vsix`](../vsix.md)."]
    return "\n".join(lines)


def type_page(kind: ConnectionType) -> str:
    """How to create a connection of a type, verify it, and use it."""
    name = "".join(part for part in kind.name.lower() if part.isalnum())
    lines = [f"# {kind.label} (`{kind.name}`)", "", kind.summary, "", _ADMONITION]
    for scheme in kind.schemes or (Scheme("", ""),):
        lines += [f"## {scheme.label or 'Create it'}" + (f" (`{scheme.name}`)" if scheme.name else ""), ""]
        lines += ["```sh", _create(kind, scheme, f"my-{name}"), "```", ""]
        lines += _fields((*scheme.parameters, *kind.data))
    if kind.name.casefold() in installed().verifiers:
        lines += ["## Try it", "", "```sh", f"sluice connection verify my-{name}", "```", ""]
        if verify := _text(installed().verifiers[kind.name.casefold()]):
            lines += [verify, ""]
    return "\n".join([*lines, *_uses(kind, f"my-{name}")])


def _create(kind: ConnectionType, scheme: Scheme, name: str) -> str:
    parts = [f"sluice connection create {name} --type {kind.name}"]
    if len(kind.schemes) > 1:
        parts[0] += f" --scheme {scheme.name}"
    if kind.url.entered:
        address = kind.url.default or f"{(kind.url.schemes or ('https',))[0]}://server.example"
        parts += [f"--url {address}"] if kind.url.required or not kind.url.default else []
    secrets = [one for one in (*scheme.parameters, *kind.data) if one.secret]
    chosen = [one for one in secrets if one.required] or secrets[:1]
    for one in (*scheme.parameters, *kind.data):
        if one.required and not one.secret:
            parts.append(f"--set {one.key}={one.default or (one.choices[0] if one.choices else '...')}")
    parts += [f"--secret {one.key}={'@FILE' if one.kind == 'multiline' else '-'}" for one in chosen]
    return " \\\n    ".join([*parts, "--verify"] if kind.name.casefold() in installed().verifiers else parts)


def _fields(fields: Sequence[Field]) -> list[str]:
    if not fields:
        return ["It takes no further values.", ""]
    lines = ["| field | | |", "|---|---|---|"]
    for one in fields:
        marks = [
            text
            for text, holds in (("required", one.required), ("secret", one.secret), ("made by Sluice", one.generated))
            if holds
        ]
        marks += [f"one of {', '.join(f'`{choice}`' for choice in one.choices)}"] if one.choices else []
        marks += [f"default `{_cell(one.default)}`"] if one.default and "\n" not in one.default else []
        lines.append(f"| `{one.key}` {_cell(one.label)} | {', '.join(marks)} | {_cell(one.help)} |")
    return [*lines, ""]


def _uses(kind: ConnectionType, name: str) -> Iterator[str]:
    """The tasks that take a type, and a step that does."""
    handled = {reference.casefold() for reference in installed().tasks}
    taking = sorted(_taking(kind))
    yield "## Use it"
    yield ""
    yield f"`sluice connection permit {name} --pipeline PIPELINE`, or answer the first run that asks."
    yield ""
    if not taking:
        yield "No task that is known here takes it as an input."
        return
    chosen = next((one for one in taking if one[0].casefold() in handled), taking[0])
    yield from ("```yaml", "steps:", f"- task: {chosen[0]}", "  inputs:", f"    {chosen[1]}: {name}", "```", "")
    yield from ("| task | input | |", "|---|---|---|")
    for reference, field in taking:
        how = "runs as it is" if reference.casefold() in handled else "after `sluice task install`"
        yield f"| `{reference}` | `{field}` | {how} |"


def _taking(kind: ConnectionType) -> set[tuple[str, str]]:
    """Each task that takes a type, with the input's name as one writes it."""
    wanted = f"connectedservice:{kind.name}".casefold()
    found: set[tuple[str, str]] = set()
    for reference, about in json.loads((files("sluice.language") / "tasks.json").read_bytes()).items():
        for one in about["inputs"]:
            if _takes(one.get("type", ""), wanted):
                found.add((reference, (one.get("aliases") or [one["name"]])[0]))
    for task in installed().tasks.values():
        for given in task.inputs or ():
            if _takes(given.type, wanted):
                found.add((task.reference, given.name))
    return found


def _takes(input_type: str, wanted: str) -> bool:
    folded = input_type.casefold()
    return folded == wanted or folded.startswith(f"{wanted}:")


def _cell(text: str) -> str:
    """A text within a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
