"""`sluice connection create` and `update`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sluice.cli.connection_entry import (
    parse_references,
    parse_values,
    prompt_missing,
    read_secrets,
    say,
)
from sluice.cli.installation import current_user, opened_store
from sluice.cli.output import output_option, print_json, project_option
from sluice.cli.subcommands import DiscreetCommand
from sluice.connections.connection import Draft, Update

if TYPE_CHECKING:
    from collections.abc import Callable

    from sluice.connections.creation import Outcome
    from sluice.connections.store import ConnectionStore
    from sluice.storage.engine import Transaction

_UNTRUSTED = click.Choice(["none", "pull-requests", "forks"])
_VALUE_HELP = "A field that is not secret: KEY=VALUE. See 'sluice connection types TYPE'."
_SEALED_HELP = "A secret: KEY=- asks (or reads standard input), KEY=@file, KEY=env:NAME. Never the secret itself."
_REFERENCE_HELP = "Where to read a secret at each use, in place of its value: KEY=env:NAME, KEY=file:/path."


_UNTRUSTED_HELP = "Which runs of pull requests or forks may use it; none unless this says so."


def _entry_options(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option(
            "--expires", default=None, metavar="DATE", help="When it expires, such as 2027-01-31; '' for never."
        ),
        click.option("--allow-untrusted", "untrusted", type=_UNTRUSTED, default=None, help=_UNTRUSTED_HELP),
        click.option("--secret-ref", "references", multiple=True, metavar="KEY=REF", help=_REFERENCE_HELP),
        click.option("--secret", "secrets", multiple=True, metavar="KEY=SOURCE", help=_SEALED_HELP),
        click.option("--set", "values", multiple=True, metavar="KEY=VALUE", help=_VALUE_HELP),
        click.option("--url", default=None, help="The url of the far side, for types that take one."),
        click.option("--scheme", default=None, help="The authentication scheme; the only one when left out."),
    ):
        command = option(command)
    return command


@click.command("create", cls=DiscreetCommand)
@click.argument("name")
@click.option("--type", "type_name", required=True, help="The connection type, such as ssh.")
@_entry_options
@click.option("--description", default="", help="What it is for.")
@click.option("--allow-all-pipelines", is_flag=True, help="Grant access permission to all pipelines.")
@click.option("--pipeline", "pipelines", multiple=True, metavar="NAME", help="Permit this pipeline (several: repeat).")
@click.option("--verify", "verify_too", is_flag=True, help="Try it at once.")
@project_option
@output_option
def create(
    name: str,
    *,
    type_name: str,
    scheme: str | None,
    url: str | None,
    values: tuple[str, ...],
    secrets: tuple[str, ...],
    references: tuple[str, ...],
    untrusted: str | None,
    expires: str | None,
    description: str,
    allow_all_pipelines: bool,
    pipelines: tuple[str, ...],
    verify_too: bool,
    project: str,
    output: str,
) -> None:
    """Store a new service connection. A pipeline needs a permit to use it, unless all are allowed.

    \b
    Example: sluice connection create web1 --type ssh --set Host=web1.example --set username=deploy \\
                 --secret PrivateKey=@~/.ssh/id_ed25519
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.connections.catalogue import choose_scheme, fields_of

    with opened_store() as store:
        kind = store.catalogue.get(type_name)
        public = parse_values(values)
        stored = parse_references(references)
        fields = fields_of(kind, choose_scheme(kind, scheme or "")).values()
        entered = read_secrets(secrets)
        entered.update(prompt_missing(fields, {**entered, **stored, **public}, public))
        draft = Draft(
            name=name,
            type=type_name,
            scheme=scheme or "",
            url=url or "",
            description=description,
            values=public,
            secrets=entered,
            references=stored,
            untrusted=untrusted or "none",
            expires=expires or "",
        )
        with store.database.write() as transaction:
            created = store.create_in(
                transaction, project, [draft], by=current_user(), all_pipelines=allow_all_pipelines
            )
            outcome = created[0]
            for pipeline in pipelines:
                _permit(transaction, store, outcome, project, pipeline)
        _report(outcome, f"created the service connection '{outcome.record.name}'", output)
        if verify_too:
            _verify(store, outcome, project)


@click.command("update", cls=DiscreetCommand)
@click.argument("name")
@_entry_options
@click.option("--name", "new_name", default=None, help="Another name; its id and permits stay.")
@click.option("--description", default=None, help="What it is for.")
@click.option("--disable/--enable", "disabled", default=None, help="Keep it, but let nothing use it.")
@click.option("--verify", "verify_too", is_flag=True, help="Try it at once.")
@project_option
@output_option
def update(
    name: str,
    *,
    scheme: str | None,
    url: str | None,
    values: tuple[str, ...],
    secrets: tuple[str, ...],
    references: tuple[str, ...],
    untrusted: str | None,
    expires: str | None,
    new_name: str | None,
    description: str | None,
    disabled: bool | None,
    verify_too: bool,
    project: str,
    output: str,
) -> None:
    """Change a service connection; what is not named stays, its id and permits too.

    When its address changes, its secrets are dropped unless they are given again, and its permits are revoked: they
    were given for the old address. KEY= with nothing behind it removes a field.

    \b
    Example: sluice connection update web1 --secret password=-
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    change = Update(
        name=new_name,
        description=description,
        scheme=scheme,
        url=url,
        disabled=disabled,
        values=parse_values(values),
        secrets=read_secrets(secrets),
        references=parse_references(references),
        untrusted=untrusted,
        expires=expires,
    )
    with opened_store() as store:
        outcome = store.update(project, name, change, by=current_user())
        changed = ["enabled" if one == "disabled" and not outcome.record.disabled else one for one in outcome.changed]
        done = f"updated the service connection '{outcome.record.name}': {', '.join(changed)}"
        _report(outcome, done if outcome.changed else f"'{outcome.record.name}' is as it was", output)
        if verify_too:
            _verify(store, outcome, project)


def _permit(transaction: Transaction, store: ConnectionStore, outcome: Outcome, project: str, pipeline: str) -> None:
    """Permit a pipeline in the transaction that creates the connection: both or neither."""
    import time

    from sluice.cli.permitting import named_pipeline
    from sluice.connections.guard import require_permit
    from sluice.storage import permissions

    record = outcome.record
    resource = permissions.Resource(record.project_id, record.id)
    found = named_pipeline(transaction, project, record.project_id, pipeline, store.guard, new=True)
    require_permit(store.guard, transaction, resource, record.name, found.id)
    permissions.grant(transaction, resource, found.id, by=current_user(), at=time.time())


def _report(outcome: Outcome, done: str, output: str) -> None:
    from sluice.cli.connection_view import as_json

    for warning in outcome.warnings:
        say(f"warning: {warning}")
    if outcome.dropped:
        say(f"the address changed: the secrets {', '.join(outcome.dropped)} were dropped, enter them again")
    if outcome.revoked:
        say(f"{len(outcome.revoked)} permit(s) were revoked: the next run of each pipeline asks again")
    if output == "json":
        changes = {"changed": list(outcome.changed), "dropped": list(outcome.dropped), "revoked": len(outcome.revoked)}
        print_json({**as_json(outcome.record), **changes})
        return
    click.echo(done)


def _verify(store: ConnectionStore, outcome: Outcome, project: str) -> None:
    from sluice.cli.connection_verify import verify_chain

    for line in verify_chain(store, project, outcome.record, trust=""):
        say(line)
