"""`sluice connection share` and `unshare`: a connection in several projects."""

from __future__ import annotations

import time

import click

from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import output_option, print_json

_FROM = click.option("--from", "source", default="default", show_default=True, help="The project that it is in.")


@click.command("share")
@click.argument("name")
@click.option("--project", "target", required=True, help="The project to share it with.")
@click.option("--as", "local_name", default="", metavar="NAME", help="Its name there; NAME-PROJECT when left out.")
@_FROM
@output_option
def share(name: str, *, target: str, local_name: str, source: str, output: str) -> None:
    """Let a service connection be in another project too. Its name, roles and permits there are apart.

    What it is (address, authentication, secrets) stays common: changing it takes an Administrator of the organization
    level, as sharing does.

    \b
    Example: sluice connection share web1 --project shop --as web
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.connections import sharing

    with opened_store() as store:
        record = sharing.share(store, source, name, target, by=current_user(), at=time.time(), local_name=local_name)
    if output == "json":
        print_json({"id": record.id, "name": record.name, "project": target, "shared": True})
        return
    click.echo(f"shared: it is '{record.name}' in the project '{target}', and no pipeline there may use it yet")


@click.command("unshare")
@click.argument("name")
@click.option("--project", "target", required=True, help="The project to take it out of.")
@_FROM
@output_option
def unshare(name: str, *, target: str, source: str, output: str) -> None:
    """Take a service connection out of a project that it was shared with, its permits and roles there too.

    \b
    Example: sluice connection unshare web1 --project shop
    """  # noqa: D301  # as above
    from sluice.connections import sharing

    with opened_store() as store:
        record = sharing.unshare(store, source, name, target, by=current_user(), at=time.time())
    if output == "json":
        print_json({"id": record.id, "name": record.name, "project": target, "shared": False})
        return
    click.echo(f"'{record.name}' is not in the project '{target}' any more")
