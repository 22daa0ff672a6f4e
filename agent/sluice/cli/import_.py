"""`sluice import classic`: an exported classic build definition as YAML that runs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.output import output_option, plain, print_json, project_option
from sluice.errors import ConflictError, PipelineError, UsageError

if TYPE_CHECKING:
    from sluice.language.classic import Converted

MAX_BYTES = 16 << 20


@click.group("import")
def command() -> None:
    """Bring what was made elsewhere.

    \b
    Example: sluice import classic definition.json --to azure-pipelines.yml
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("classic")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--to", "target", type=click.Path(path_type=Path), help="Write the YAML there; printed unless given.")
@click.option("--force", is_flag=True, help="Replace the file that is there.")
@click.option(
    "--connection", "named", multiple=True, metavar="ID=NAME", help="The name of a service connection (repeatable)."
)
@click.option(
    "--connections",
    "listed",
    type=click.Path(path_type=Path),
    help="An exported list of service connections, for their names: az devops service-endpoint list.",
)
@project_option
@output_option
def classic_command(
    *,
    file: Path,
    target: Path | None,
    force: bool,
    named: tuple[str, ...],
    listed: Path | None,
    project: str,
    output: str,
) -> None:
    """Turn an exported classic build definition into YAML.

    FILE is the JSON of 'az pipelines show --id ID', or of GET _apis/build/definitions/ID. What has no equal in YAML is
    named on standard error, each with its place in the export. Service connections that this project has are known by
    their ids.

    \b
    Example: sluice import classic definition.json --to azure-pipelines.yml --connection 1f0d...=depot
    """  # noqa: D301  # as above
    from sluice.cli.session import task_catalogue
    from sluice.language.classic import convert

    names = {**_known(project), **(_listed(listed) if listed else {}), **_pairs(named)}
    converted = convert(_read(file), find_task=task_catalogue().find, connections=names)
    text = render(converted)
    problems = _problems(text, file)
    if target is not None:
        _write(target, text, force=force)
    notes = [{"where": note.where, "what": note.what, "do": note.do} for note in converted.notes]
    if output == "json":
        shown = {"name": converted.name, "file": str(target) if target else "", "yaml": text}
        print_json({**shown, "notes": notes, "problems": problems})
        return
    click.echo(text if target is None else f"wrote {target}", nl=target is not None)
    for note in converted.notes:
        click.echo(f"note: {plain(str(note))}", err=True)
    for problem in problems:
        click.echo(f"problem: {plain(problem)}", err=True)


def render(converted: Converted) -> str:
    """The YAML of a converted definition: texts of several lines as they are, nothing sorted."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            return super().increase_indent(flow, False)

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        lines = "\n".join(line.rstrip() for line in value.replace("\r\n", "\n").replace("\t", "    ").split("\n"))
        block = "\n" in lines and lines.isprintable() is False and all(c.isprintable() or c == "\n" for c in lines)
        if block:
            return dumper.represent_scalar("tag:yaml.org,2002:str", lines, style="|")
        return dumper.represent_scalar("tag:yaml.org,2002:str", value)

    Dumper.add_representer(str, text)
    head = f"# Made from the classic build definition '{plain(converted.name)}'.\n" if converted.name else ""
    body = yaml.dump(converted.document, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
    return head + str(body)


def _read(path: Path) -> object:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read", why=error.strerror or str(error)) from error
    if len(raw) > MAX_BYTES:
        raise UsageError(f"'{path}' is longer than {MAX_BYTES >> 20} MiB")
    try:
        return json.loads(raw)  # in UTF-8, -16 or -32: Windows PowerShell's ">" writes UTF-16
    except (ValueError, RecursionError) as error:
        raise UsageError(f"'{path}' is no JSON", why=str(error) or "it is too deep") from None


def _known(project: str) -> Mapping[str, str]:
    """The names of this project's connections, by their ids; none where there is no database yet."""
    from sluice.cli.installation import opened_store
    from sluice.storage.home import Home

    if not Home.find().root.exists():
        return {}
    with opened_store() as store:
        return {one.id: one.name for one in store.list(project)}


def _listed(path: Path) -> Mapping[str, str]:
    found = _read(path)
    found = found.get("value") if isinstance(found, dict) else found
    if not isinstance(found, list):
        raise UsageError(f"'{path}' is no list of service connections", do="az devops service-endpoint list > FILE")
    return {str(one["id"]): str(one["name"]) for one in found if isinstance(one, dict) and {"id", "name"} <= one.keys()}


def _pairs(texts: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for text in texts:
        identity, equals, name = text.partition("=")
        if not equals or not identity.strip() or not name.strip():
            raise UsageError("--connection takes ID=NAME")
        found[identity.strip()] = name.strip()
    return found


def _problems(text: str, file: Path) -> list[str]:
    """What would keep the YAML from running as it is."""
    from sluice.cli.session import task_catalogue
    from sluice.language.compiler import compile_pipeline
    from sluice.language.unsupported import refuse_unsupported

    try:
        refuse_unsupported(compile_pipeline(file.with_suffix(".yml").name, text, catalogue=task_catalogue()))
    except PipelineError as error:
        return [str(problem) for problem in error.problems]
    return []


def _write(target: Path, text: str, *, force: bool) -> None:
    try:
        with target.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ConflictError(f"'{target}' is there already", do="choose another name, or --force") from None
    except OSError as error:
        raise UsageError(f"'{target}' cannot be written", why=error.strerror or str(error)) from error
