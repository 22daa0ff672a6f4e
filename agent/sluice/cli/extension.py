"""`sluice extension`: the tasks and connection types of a `.vsix`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.output import output_option, print_json, print_table
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.runtime.packages.extension import Extension
    from sluice.runtime.packages.lock_file import Installed


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What an installation brought: tasks (and whether each is new), and connection types."""

    extension: Extension
    tasks: list[tuple[Installed, bool]]
    types: list[str]
    taken: list[str] = field(default_factory=list)


@click.group("extension")
def command() -> None:
    """Extensions of Azure DevOps (.vsix): their tasks and connection types.

    \b
    Example: sluice extension install publisher.extension-1.0.0.vsix
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("install")
@click.argument("path", metavar="X.vsix", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--prefer/--no-prefer", default=None, help="Run its tasks also where Sluice or a plugin has a handler.")
@output_option
def install(*, path: Path, prefer: bool | None, output: str) -> None:
    """Install the tasks and the connection types of an extension.

    \b
    Example: sluice extension install publisher.extension-1.0.0.vsix
    """  # noqa: D301  # as above
    done = install_extension(path, preferred=prefer)
    if output == "json":
        from sluice.cli.task import as_json

        print_json(
            {
                "name": done.extension.full_name,
                "version": done.extension.version,
                "tasks": [as_json(entry) | {"new": new} for entry, new in done.tasks],
                "connectionTypes": done.types,
            }
        )
        return
    click.echo(f"installed: {done.extension.full_name} {done.extension.version}")
    for entry, new in done.tasks:
        click.echo(f"  task {entry.name}@{entry.version_text}{'' if new else ' (installed already)'}")
    for name in done.types:
        taken = " (a plugin's type of that name is used instead)" if name in done.taken else ""
        click.echo(f"  connection type {name}{taken}")


@command.command("list")
@output_option
def list_command(*, output: str) -> None:
    """List the installed extensions.

    \b
    Example: sluice extension list
    """  # noqa: D301  # as above
    rows = [
        {
            "name": stored["name"],
            "version": stored["version"],
            "label": stored["label"],
            "tasks": stored["tasks"],
            "connectionTypes": [one.get("name", "") for one in stored["types"]],
        }
        for stored in _stored()
    ]
    if output == "json":
        print_json(rows)
        return
    shown = [
        row | {"tasks": ", ".join(row["tasks"]), "connection types": ", ".join(row["connectionTypes"])} for row in rows
    ]
    print_table(shown, ["name", "version", "tasks", "connection types"], empty="no extension is installed")


@command.command("remove")
@click.argument("name", metavar="PUBLISHER.EXTENSION")
@output_option
def remove(*, name: str, output: str) -> None:
    """Remove an extension with its tasks and connection types. Connections of these types stay, but cannot be used.

    \b
    Example: sluice extension remove publisher.extension
    """  # noqa: D301  # as above
    from sluice.cli.changing_tasks import changing_tasks
    from sluice.errors import NotFoundError

    stored = next((one for one in _stored() if one["name"].casefold() == name.strip().casefold()), None)
    if stored is None:
        known = ", ".join(one["name"] for one in _stored()) or "none"
        raise NotFoundError(f"the extension '{name}' is not installed", do=f"installed: {known}")
    with changing_tasks("extension remove") as store:
        gone = store.remove(lambda one: one.extension.casefold() == stored["name"].casefold())
    _path(stored["name"]).unlink(missing_ok=True)
    if output == "json":
        print_json({"name": stored["name"], "tasks": [f"{one.name}@{one.version_text}" for one in gone]})
        return
    click.echo(f"removed: {stored['name']}")
    for one in gone:
        click.echo(f"  task {one.name}@{one.version_text}")


def install_extension(path: Path, *, preferred: bool | None) -> Done:
    """Install what a `.vsix` contributes."""
    from sluice.cli.changing_tasks import changing_tasks
    from sluice.connections.contributed import read_type
    from sluice.hooks.manager import installed
    from sluice.runtime.packages import archive
    from sluice.runtime.packages.extension import install_tasks, read_extension

    with archive.opened(path) as opened:
        extension = read_extension(opened, str(path))
        types = [one.properties for one in extension.connection_types]
        names = [one.type.name for each in types if (one := read_type(each, extension.full_name)) is not None]
        with changing_tasks("extension install") as store:
            tasks = install_tasks(store, opened, extension, source=str(path.resolve()), preferred=preferred)
    _write(extension, [f"{entry.name}@{entry.version_text}" for entry, _ in tasks], types)
    taken = [name for name in names if name.casefold() in installed().types]
    return Done(extension=extension, tasks=tasks, types=names, taken=taken)


def _folder() -> Path:
    from sluice.connections.contributed import FOLDER
    from sluice.storage.home import Home

    return Home.find().root / FOLDER


def _path(name: str) -> Path:
    return _folder() / f"{name.casefold()}.json"


def _write(extension: Extension, tasks: list[str], types: list[Mapping[str, Any]]) -> None:
    from sluice.storage.home import private_folder

    folder = _folder()
    private_folder(folder)
    stored = {
        "name": extension.full_name,
        "label": extension.name,
        "version": extension.version,
        "tasks": tasks,
        "types": types,
    }
    path = _path(extension.full_name)
    # Under a name of its own first, then in place: the folder changes, and nobody reads half a file.
    new = path.with_suffix(".new")
    new.write_text(json.dumps(stored, indent=1), encoding="utf-8")
    new.replace(path)


def _stored() -> list[dict[str, Any]]:
    folder = _folder()
    return [json.loads(path.read_bytes()) for path in sorted(folder.glob("*.json"))] if folder.is_dir() else []
