"""`sluice task run`: one task alone, for whoever writes it."""

from __future__ import annotations

import contextlib
import signal
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.output import output_option, print_json
from sluice.errors import ExitCode, UsageError
from sluice.secret import Secret

if TYPE_CHECKING:
    from sluice.hooks.connection import Connection
    from sluice.runtime.cancellation import Cancellation
    from sluice.runtime.packages.manifest import TaskManifest
    from sluice.testing.package_runner import PackageOutcome

HARMLESS = frozenset(
    name.casefold()
    for name in [
        "Role",
        "Scope",
        "TenantId",
        "IssuedAt",
        "ExpiresAt",
        "Audience",
        "AuthenticationType",
        "AuthorizationType",
        "AccessTokenType",
        "AccessTokenFetchingMethod",
        "UseWindowsSecurity",
        "Unsecured",
        "OAuthAccessTokenIsSupplied",
        "CompleteCallbackPayload",
        "AcceptUntrustedCertificates",
        "Username",
    ]
)
"""Parameters of a connection of unknown type that are no secrets."""

_KEYS = frozenset({"id", "name", "type", "url", "scheme", "parameters", "data", "values", "secrets"})


@click.command("run")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="An input of the task.")
@click.option(
    "--connection",
    "connections",
    multiple=True,
    metavar="[INPUT=]FILE",
    help="A made-up service connection, as YAML: type, url, scheme, parameters, data.",
)
@click.option("--variable", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the job.")
@click.option("--sources", type=click.Path(path_type=Path, exists=True, file_okay=False), help="Where it starts.")
@click.option("--inspect", is_flag=True, help="Let Node wait for a debugger (--inspect-brk).")
@output_option
def run(
    *,
    path: Path,
    inputs: tuple[str, ...],
    connections: tuple[str, ...],
    variables: tuple[str, ...],
    sources: Path | None,
    inspect: bool,
    output: str,
) -> int:
    """Run the task in PATH (a folder, a zip, or the name of an installed one) alone, and show what it commands.

    It runs in an empty folder unless --sources says otherwise, with the environment of a real job and nothing else of
    this installation: a connection is what a file says. Without INPUT= it goes to the input of its type.

    \b
    Example: sluice task run ./MyTask --input greeting=hello --connection server=fake.yml
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped
    from sluice.cli.run import pairs
    from sluice.runtime.cancellation import Cancellation
    from sluice.runtime.packages.manifest import read_manifest
    from sluice.testing.package_runner import run_package

    cancellation = Cancellation()
    with _package(path) as folder, _interrupts(cancellation):
        outcome = run_package(
            folder,
            inputs=pairs("input", inputs),
            connections=_connections(read_manifest(folder), connections),
            variables=pairs("variable", variables),
            sources=sources,
            node=_node(),
            inspect=inspect,
            cancellation=cancellation,
            tell=_show if output == "text" else None,
        )
    if output == "json":
        print_json(_as_json(outcome))
    else:
        _summarise(outcome)
    codes = {"Failed": ExitCode.FAILED, "Canceled": ExitCode.CANCELED}
    return codes.get(outcome.result.value, ExitCode.SUCCEEDED)


def _node() -> str:
    import os

    return os.environ.get("SLUICE_NODE", "")


@contextlib.contextmanager
def _package(path: Path) -> Iterator[Path]:
    """The folder of the task that is meant; an archive is unpacked for the time being."""
    if path.is_dir():
        yield path
    elif path.exists():
        from sluice.runtime.packages.store import fill_from

        with tempfile.TemporaryDirectory(prefix="sluice-package-") as folder:
            target = Path(folder) / "package"
            fill_from(path)(target)
            yield target
    else:
        from sluice.cli.session import task_store

        store = task_store()
        name, _, version = str(path).partition("@")
        if store.find(name, version) is None:
            raise UsageError(f"there is no folder, archive or installed task '{path}'", do="see 'sluice task list'")
        yield store.open(store.get(name, version))


@contextlib.contextmanager
def _interrupts(cancellation: Cancellation) -> Iterator[None]:
    """Ctrl-C cancels the task, and once more ends it at once."""

    def interrupt(_: int, __: object) -> None:
        if cancellation.canceled:
            cancellation.kill()
        else:
            cancellation.cancel()

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _connections(manifest: TaskManifest, written: Sequence[str]) -> Mapping[str, list[Connection]]:
    """The connections by input."""
    from sluice.runtime.packages.installed import definition_of

    definition = definition_of(manifest)
    found: dict[str, list[Connection]] = {}
    for text in written:
        name, equals, file = text.partition("=")
        connection = _read_connection(Path(file if equals else name))
        if not equals:
            fitting = [
                one
                for one, wanted in definition.connections.items()
                if not wanted.type or wanted.type.casefold() == connection.type.casefold()
            ]
            if len(fitting) != 1:
                what = "no input" if not fitting else "several inputs"
                raise UsageError(
                    f"{what} of {definition.reference} takes a connection of type '{connection.type}'",
                    do=f"say which one: --connection INPUT={file or name}",
                )
            name = fitting[0]
        found.setdefault(name, []).append(connection)
    return found


def _read_connection(file: Path) -> Connection:
    """A made-up connection; its values are test data, so they stand in the file."""
    import yaml

    from sluice.hooks.connection import Connection
    from sluice.storage.files import read_regular

    try:
        written = yaml.load(read_regular(file, 1 << 20), yaml.CSafeLoader)  # the safe one, in C
    except OSError as error:
        raise UsageError(f"the file '{file}' cannot be read", why=error.strerror or "") from error
    except yaml.YAMLError as error:
        raise UsageError("the connection's file is no YAML", where=str(file), why=str(error)) from None
    if not isinstance(written, dict) or not written.get("type"):
        raise UsageError("a connection's file is a mapping with at least a 'type'", where=str(file))
    if unknown := sorted(str(name) for name in written if name not in _KEYS):
        raise UsageError(
            f"unknown keys of a connection: {', '.join(unknown)}",
            where=str(file),
            do=f"known: {', '.join(sorted(_KEYS))}",
        )
    kind = str(written["type"])
    secret = _secret_keys(kind, str(written.get("scheme", "")))
    parameters = _texts(written.get("parameters"), file)
    data = _texts(written.get("data"), file)
    for name, value in (_texts(written.get("values"), file) | _texts(written.get("secrets"), file)).items():
        (parameters if secret is not None and name.casefold() in secret[0] else data)[name] = value
    forced = {name.casefold() for name in _texts(written.get("secrets"), file)}
    return Connection(
        id=_guid(str(written.get("id", ""))),
        name=str(written.get("name", file.stem)),
        type=kind,
        url=str(written.get("url", "")),
        scheme=str(written.get("scheme", "")),
        parameters=_guarded(parameters, secret[1] if secret else None, forced),
        data=_guarded(data, secret[1] if secret else frozenset(), forced),
    )


def _secret_keys(kind: str, scheme: str) -> tuple[frozenset[str], frozenset[str]] | None:
    """The parameters of a known type, and its secret fields, casefolded."""
    from sluice.connections.catalogue import Catalogue

    known = Catalogue.installed().find(kind)
    if known is None:
        return None
    schemes = [one for one in known.schemes if not scheme or one.name.casefold() == scheme.casefold()]
    parameters = [one for each in schemes for one in each.parameters]
    names = frozenset(one.key.casefold() for one in parameters)
    return names, frozenset(one.key.casefold() for one in (*parameters, *known.data) if one.secret)


def _guarded(values: Mapping[str, str], secret: frozenset[str] | None, forced: set[str]) -> dict[str, str | Secret]:
    """Values, those that are secret guarded; of an unknown type (None) all but the harmless ones are."""

    def is_secret(name: str) -> bool:
        key = name.casefold()
        return key in forced or (key not in HARMLESS if secret is None else key in secret)

    return {name: Secret(value) if is_secret(name) else value for name, value in values.items()}


def _texts(value: Any, file: Path) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or any(isinstance(one, dict | list) for one in value.values()):
        raise UsageError("values of a connection are names and texts", where=str(file))
    return {str(name): _text(one) for name, one in value.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _guid(written: str) -> str:
    try:
        return str(uuid.UUID(written)) if written else str(uuid.uuid4())
    except ValueError:
        raise UsageError(f"the connection's id is no GUID: '{written}'") from None


def _show(text: bytes) -> None:
    sys.stdout.buffer.write(text)
    sys.stdout.buffer.flush()


def _summarise(outcome: PackageOutcome) -> None:
    from sluice.cli.output import plain

    if outcome.commands:
        click.echo("\nLogging commands:")
    for command in outcome.commands:
        properties = " ".join(f"{name}={value}" for name, value in command.properties.items())
        click.echo(plain(f"  {command.name} {properties}".rstrip() + (f" | {command.data}" if command.data else "")))
    click.echo(f"\nResult: {outcome.result.value}{f': {plain(outcome.message)}' if outcome.message else ''}")


def _as_json(outcome: PackageOutcome) -> dict[str, Any]:
    return {
        "result": outcome.result.value,
        "message": outcome.message,
        "results": {str(execution): result.value for execution, result in outcome.results.items()},
        "issues": [{"type": one.type, "message": one.message} for one in outcome.issues],
        "outputs": {name: "***" if isinstance(value, Secret) else value for name, value in outcome.outputs.items()},
        "commands": [
            {"command": one.name, "properties": dict(one.properties), "data": one.data} for one in outcome.commands
        ],
        "log": outcome.lines,
    }
