"""`sluice task`: task packages, installed and tried."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.output import output_option, print_fields, print_json, print_table
from sluice.cli.task_run import run
from sluice.errors import ConflictError

if TYPE_CHECKING:
    from sluice.runtime.packages.lock_file import Installed
    from sluice.runtime.packages.manifest import TaskManifest
    from sluice.runtime.packages.store import TaskStore


@click.group("task")
def command() -> None:
    """Task packages (task.json with Node or PowerShell code): install, list, show, run, remove.

    \b
    Example: sluice task install ./MyTask
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


command.add_command(run)


@command.command("install")
@click.argument("path", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--prefer/--no-prefer", default=None, help="Run it also where Sluice or a plugin has a handler for the task."
)
@output_option
def install(*, path: Path, prefer: bool | None, output: str) -> None:
    """Install the task in PATH: a folder, a zip, or every task of a .vsix. Its digest is recorded.

    A version that is installed already stays as it is; with other content it is refused.

    \b
    Example: sluice task install ./MyTask --prefer
    """  # noqa: D301  # as above
    from sluice.cli.changing_tasks import changing_tasks
    from sluice.runtime.packages.store import fill_from

    if path.suffix.lower() == ".vsix":
        from sluice.cli.extension import install_extension

        done = install_extension(path, preferred=prefer).tasks
    else:
        with changing_tasks("task install") as store:
            done = [store.install(fill_from(path), source=str(path.resolve()), preferred=prefer)]
    if output == "json":
        print_json([as_json(entry) | {"new": new} for entry, new in done])
        return
    for entry, new in done:
        click.echo(f"{'installed' if new else 'already installed'}: {entry.name}@{entry.version_text} ({entry.id})")
        if not _runs(entry):
            click.echo(
                f"  {entry.reference} is carried out by Sluice or a plugin; to run this package instead: "
                f"sluice task install {path} --prefer"
            )


@command.command("list")
@output_option
def list_command(*, output: str) -> None:
    """List the installed task packages. Their files are read: one that was changed is told.

    \b
    Example: sluice task list --output json
    """  # noqa: D301  # as above
    from sluice.cli.session import task_store

    store = task_store()
    entries = store.all
    changed = [entry for entry in entries if _changed(store, entry)]
    if output == "json":
        print_json([as_json(entry) | {"changed": entry in changed} for entry in entries])
        return
    rows = [
        {
            "task": f"{entry.name}@{entry.version_text}",
            "id": entry.id,
            "from": entry.extension or entry.source,
            "runs": "no: changed" if entry in changed else "yes" if _runs(entry) else "only as " + _otherwise(entry),
        }
        for entry in entries
    ]
    print_table(rows, ["task", "id", "from", "runs"], empty="no task package is installed")
    for entry in changed:
        name = f"{entry.name}@{entry.version_text}"
        click.echo(
            f"sluice: {name} was changed since it was installed and does not run: look at what changed it, then: "
            f"sluice task remove {name}, and install it again",
            err=True,
        )


@command.command("show")
@click.argument("reference")
@output_option
def show(*, reference: str, output: str) -> None:
    """Show an installed task: its inputs, its handlers, where it came from.

    \b
    Example: sluice task show Replace@3
    """  # noqa: D301  # as above
    from sluice.cli.session import task_store

    store = task_store()
    name, _, version = reference.partition("@")
    entry = store.get(name, version)
    manifest = store.manifest(entry)
    if output == "json":
        print_json(as_json(entry) | _manifest_as_json(manifest))
        return
    print_fields(
        {
            "task": f"{entry.name}@{entry.version_text}",
            "id": entry.id,
            "label": manifest.label,
            "description": manifest.description,
            "author": manifest.author,
            "from": entry.extension or entry.source,
            "digest": f"sha256:{entry.digest}",
            "runs": "yes" if _runs(entry) else "only as " + _otherwise(entry),
            "handlers": "; ".join(
                f"{execution}: {', '.join(one.kind for one in several)}"
                for execution, several in manifest.executions.items()
            ),
        }
    )
    click.echo()
    rows = [
        {
            "input": one.name,
            "type": one.type,
            "required": one.required,
            "default": one.default,
            "also": ", ".join(one.aliases),
        }
        for one in manifest.inputs
    ]
    print_table(rows, ["input", "type", "required", "default", "also"], empty="it has no inputs")


@command.command("remove")
@click.argument("reference")
@output_option
def remove(*, reference: str, output: str) -> None:
    """Remove an installed task: every version of it, or those that Name@VERSION means.

    \b
    Example: sluice task remove Replace@3.1.0
    """  # noqa: D301  # as above
    from sluice.cli.changing_tasks import changing_tasks

    name, _, version = reference.partition("@")
    with changing_tasks("task remove") as store:
        task = store.get(name, version)
        # The name as well: in the field two tasks share an id (Bash and ShellScript).
        gone = store.remove(lambda one: (one.id, one.name) == (task.id, task.name) and store.means(one, version))
    if output == "json":
        print_json([as_json(one) for one in gone])
        return
    for one in gone:
        click.echo(f"removed: {one.name}@{one.version_text}")


def as_json(entry: Installed) -> dict[str, Any]:
    """An installed version, for `--output json`."""
    return {
        "name": entry.name,
        "id": entry.id,
        "version": entry.version_text,
        "reference": entry.reference,
        "fullName": entry.full_name,
        "digest": f"sha256:{entry.digest}",
        "source": entry.source,
        "extension": entry.extension,
        "preferred": entry.preferred,
        "runs": _runs(entry),
    }


def _runs(entry: Installed) -> bool:
    from sluice.cli.session import task_packages

    packages = task_packages()
    if entry.preferred:
        return True
    return not packages.handled(entry.reference) and not (entry.extension and packages.built_in(entry.reference))


def _changed(store: TaskStore, entry: Installed) -> bool:
    try:
        store.open(entry)
    except ConflictError:
        return True
    return False


def _otherwise(entry: Installed) -> str:
    """How a package runs whose plain name means something else."""
    return f"{entry.full_name}@{entry.version[0]}" if entry.extension else "preferred"


def _manifest_as_json(manifest: TaskManifest) -> dict[str, Any]:
    return {
        "label": manifest.label,
        "description": manifest.description,
        "author": manifest.author,
        "inputs": [
            {
                "name": one.name,
                "aliases": list(one.aliases),
                "type": one.type,
                "required": one.required,
                "default": one.default,
                "options": list(one.options),
                "visibleRule": one.visible,
            }
            for one in manifest.inputs
        ],
        "outputVariables": list(manifest.outputs),
        "handlers": {
            str(execution): [one.kind for one in several] for execution, several in manifest.executions.items()
        },
        "restrictions": {
            "restricted": manifest.restricted,
            "settableVariables": list(manifest.settable) if manifest.settable is not None else None,
        },
    }
