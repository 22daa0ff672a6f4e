"""`sluice connection federation`: what to enter at the far side so that it trusts a connection's identity tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sluice.cli.connection_entry import say
from sluice.cli.installation import opened_store
from sluice.cli.output import output_option, print_fields, print_json, project_option
from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord
    from sluice.connections.federation import Federation


@click.command("federation")
@click.argument("name")
@click.option(
    "--documents",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the two public documents of the issuer into this folder, for a web server that serves them as files.",
)
@project_option
@output_option
def federation(name: str, *, documents: Path | None, project: str, output: str) -> None:
    """Show the issuer, the subject and the audience that a federated credential in Entra needs.

    Tokens are signed by this installation; SLUICE_ISSUER_URL is the https address at which their keys can be read. 'sluice
    serve' answers there; without it the folder of --documents, uploaded anywhere, does the same. Upload it again after
    'sluice key rotate --signing'.

    \b
    Example: sluice connection federation azure-prod
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.connections.federation import AUDIENCE, subject
    from sluice.storage import projects

    with opened_store() as store:
        record = store.get(project, name)
        _refuse_other_scheme(record)
        issuer = store.federation.issuer
        with store.database.read() as transaction:
            home = projects.get(transaction, record.project_id)
        if documents is not None:
            _write(store.federation, documents)
    found = {"issuer": issuer, "subject": subject(home.name, record.name), "audience": AUDIENCE}
    if output == "json":
        print_json({"id": record.id, "name": record.name, **found})
        return
    print_fields(found)
    say(
        "in Entra: App registrations (or the managed identity), Certificates & secrets, Federated credentials, Other issuer"
    )
    say(f"or: {_command(record, found)}")


def _refuse_other_scheme(record: ConnectionRecord) -> None:
    from sluice.connections.federation import SCHEME

    if record.scheme.casefold() != SCHEME.casefold():
        raise UsageError(
            f"the service connection '{record.name}' has the authentication scheme '{record.scheme}'",
            do=f"there is something to enter for {SCHEME} alone: make one with --scheme {SCHEME}",
        )


def _command(record: ConnectionRecord, found: dict[str, str]) -> str:
    """The command of Azure's own command line that enters it, in one line that a shell takes."""
    import re
    import shlex

    application = record.parameters.get("serviceprincipalid", "CLIENT_ID")
    credential = {
        "name": re.sub(r"[^A-Za-z0-9-]+", "-", f"sluice-{record.name}")[:120].strip("-"),
        "issuer": found["issuer"],
        "subject": found["subject"],
        "audiences": [found["audience"]],
    }
    arguments = ["az", "ad", "app", "federated-credential", "create", "--id", application]
    return shlex.join([*arguments, "--parameters", json.dumps(credential, ensure_ascii=False)])


def _write(issuer: Federation, folder: Path) -> None:
    """The documents below `folder`, at the paths that they are read at."""
    from sluice.connections.federation import DISCOVERY_PATH, KEYS_PATH

    for path, content in ((DISCOVERY_PATH, issuer.discovery()), (KEYS_PATH, issuer.key_set())):
        file = folder / path.lstrip("/")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        except OSError as error:
            why = error.strerror or str(error)
            raise UsageError(f"the document '{file}' cannot be written", why=why) from error
        say(f"wrote {file}")
