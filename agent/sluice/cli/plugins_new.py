"""`sluice plugins new`: a plugin that works, to be changed into the one that is wanted."""

from __future__ import annotations

import json
import keyword
import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

import click

from sluice.cli.output import output_option, print_json
from sluice.errors import ConflictError, UsageError

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_MAX_NAME = 40
_MARK = ".template"
_MODULE_FOLDER = "module"


@click.command("new")
@click.argument("name")
@click.option("--label", default="", help="What people call it; made from the name unless given.")
@click.option("--to", "target", default="", metavar="FOLDER", help="Where to write it; sluice-NAME unless given.")
@output_option
def command(*, name: str, label: str, target: str, output: str) -> None:
    """Write a new plugin: a connection type, its verification, one task, tests and a README.

    It can be installed, and its tests pass, as it is.

    \b
    Example: sluice plugins new acme-depot --label 'Acme depot'
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from importlib.metadata import distribution

    words = _words(name, label)
    folder = Path(target or f"sluice-{name}")
    files = write(folder, words)
    if output == "json":
        print_json({"folder": str(folder.resolve()), "module": words["MODULE"], "files": files})
        return
    click.echo(f"wrote {folder}: {', '.join(files)}")
    click.echo("\nnext:")
    install = install_line(distribution("sluicegate").read_text("direct_url.json"))
    for line in (f"cd {shlex.quote(str(folder))}", "python3 -m venv .venv && . .venv/bin/activate", install, "pytest"):
        click.echo(f"  {line}")


def write(folder: Path, words: Mapping[str, str]) -> list[str]:
    """Write the plugin's files; raises `ConflictError` when there is something in the folder, and leaves it alone."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConflictError(f"'{folder}' is there already and not empty", do="choose another place with --to FOLDER")
    written = []
    for path, text in _templates():
        place = "/".join(words["MODULE"] if part == _MODULE_FOLDER else part for part in path.split("/"))
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_filled(text, words), encoding="utf-8")
        written.append(place)
    (folder / words["MODULE"] / "py.typed").touch()
    return sorted([*written, f"{words['MODULE']}/py.typed"])


def install_line(direct_url: str | None) -> str:
    """How the plugin is installed with the Sluice that wrote it; `direct_url` is what pip noted of that one's origin.

    One that came from a folder has to come from there again: in a fresh environment pip would look for it in an index.
    """
    url = urlsplit(json.loads(direct_url)["url"]) if direct_url else None
    if url is None or url.scheme != "file":
        return "pip install -e '.[test]'"
    return f"pip install {shlex.quote(url2pathname(url.path))} -e '.[test]'"


def _words(name: str, label: str) -> dict[str, str]:
    """What stands in the files in place of `@NAME@` and the others."""
    if not _NAME.fullmatch(name) or len(name) > _MAX_NAME:
        raise UsageError(
            f"'{name}' cannot be the name of a plugin",
            why=f"it takes small letters, digits and single hyphens, begins with a letter, and is {_MAX_NAME} long at most",
            do="such as acme-depot",
        )
    _refuse_taken(name)
    shown = " ".join((label or name.replace("-", " ").capitalize()).split())
    if re.search(r'[\\"`@|]', shown) or not shown.isprintable():
        raise UsageError("the label holds characters that do not fit into the files", do="use words")
    task = "".join(part.capitalize() for part in name.split("-"))
    return {"NAME": name, "LABEL": shown, "MODULE": f"sluice_{name.replace('-', '_')}", "TASK": f"{task}Upload"}


def _refuse_taken(name: str) -> None:
    from sluice.hooks.manager import installed

    host = installed()
    if any(report.name == name for report in host.reports):
        raise ConflictError(f"there is a plugin '{name}' already", do="see 'sluice plugins list'")
    if name in host.types:
        raise ConflictError(f"there is a connection type '{name}' already", do="see 'sluice connection types'")
    if keyword.iskeyword(name):
        raise UsageError(f"'{name}' is a word of Python", do=f"such as {name}-service")


def _filled(text: str, words: Mapping[str, str]) -> str:
    return re.sub("|".join(f"@{word}@" for word in words), lambda match: words[match[0].strip("@")], text)


def _templates() -> Iterator[tuple[str, str]]:
    """The files as they lie in the package: their path in the plugin and their text."""
    from importlib.resources import files

    yield from _below(files("sluice.cli") / "new_plugin", "")


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            yield from _below(one, f"{path}{one.name}/")
        elif one.name.endswith(_MARK):
            name = one.name.removesuffix(_MARK)
            yield path + (".gitignore" if name == "gitignore" else name), one.read_text(encoding="utf-8")
