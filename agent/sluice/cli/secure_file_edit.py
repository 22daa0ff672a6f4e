"""`sluice secure-file upload` and `delete`."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import click

from sluice.cli.connection_entry import confirm
from sluice.cli.installation import current_user, opened_files
from sluice.cli.output import output_option, print_json, project_option
from sluice.errors import UsageError


@click.command("upload")
@click.argument("path")
@click.option("--name", default="", help="What to call it; the file's own name if absent.")
@click.option("--allow-all-pipelines", is_flag=True, help="Grant access permission to all pipelines.")
@project_option
@output_option
def upload(path: str, *, name: str, allow_all_pipelines: bool, project: str, output: str) -> None:
    """Store the file PATH, sealed (`-`: standard input). A pipeline needs a permit to use it, unless all are allowed.

    It has 10 MB at most, and its content is never replaced: delete it to upload another under the same name.

    \b
    Example: sluice secure-file upload certificate.pfx
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.cli.secure_file import as_json

    if path == "-" and not name:
        raise UsageError("what comes from standard input needs a name", do="give --name NAME")
    content = _read(path)
    with opened_files() as store:
        chosen = name or Path(path).name
        file = store.upload(project, chosen, content, by=current_user(), all_pipelines=allow_all_pipelines)
    if output == "json":
        print_json(as_json(file))
        return
    click.echo(f"uploaded the secure file '{file.name}' ({file.size} bytes)")


@click.command("update")
@click.argument("name")
@click.option(
    "--allow-untrusted",
    "untrusted",
    type=click.Choice(["none", "pull-requests", "forks"]),
    required=True,
    help="Which runs of pull requests or forks may use it, where they are permitted.",
)
@project_option
@output_option
def update(name: str, *, untrusted: str, project: str, output: str) -> None:
    """Say which runs of untrusted changes may use a secure file; none unless this says so.

    \b
    Example: sluice secure-file update certificate.pfx --allow-untrusted pull-requests
    """  # noqa: D301  # as above
    with opened_files() as store:
        file = store.get(project, name)
        changed = store.let_in(project, file.id, untrusted, by=current_user())
    if output == "json":
        print_json({"id": file.id, "name": file.name, "allowUntrusted": untrusted, "changed": changed})
        return
    click.echo(f"'{file.name}': untrusted runs that may use it: {untrusted}{'' if changed else ' (as before)'}")


@click.command("delete")
@click.argument("name")
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
@output_option
def delete(name: str, *, yes: bool, project: str, output: str) -> None:
    """Delete a secure file and its permits. Its usage history and audit entries stay.

    \b
    Example: sluice secure-file delete certificate.pfx --yes
    """  # noqa: D301  # as above
    from sluice.cli.connection_view import pipelines_of
    from sluice.storage.secure_files import resource_of

    with opened_files() as store:
        file = store.get(project, name)
        pipelines = pipelines_of(store.database, resource_of(file))
        whose = f"permitted for: {', '.join(pipelines)}" if pipelines else "no pipeline is permitted to use it"
        if not yes and not confirm(f"Delete the secure file '{file.name}' ({whose})?", otherwise=f"add --yes; {whose}"):
            raise click.Abort
        store.delete(project, file.id, by=current_user())
    if output == "json":
        print_json({"id": file.id, "name": file.name, "deleted": True, "pipelines": pipelines})
        return
    click.echo(f"deleted the secure file '{file.name}'")


def _read(path: str) -> bytes:
    """The content; of a bigger one as much as shows that it is too big."""
    from sluice.library.secure_files import MAX_SIZE

    if path == "-":
        return sys.stdin.buffer.read(MAX_SIZE + 1)
    try:
        # a pipe without a writer must not hold us
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise UsageError(f"'{path}' is no file")
            return file.read(MAX_SIZE + 1)
    except OSError as error:
        raise UsageError(f"'{path}' cannot be read", why=error.strerror or str(error)) from error
