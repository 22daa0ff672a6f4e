"""The command group: knows every command by name, imports only the one that is called."""

from __future__ import annotations

import difflib
import gc
import importlib
import os
import sys
from collections.abc import Mapping, Sequence

import click

from sluice.cli import reporting
from sluice.cli.subcommands import with_examples_last
from sluice.runtime.shielding import shield

COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo", "The whole story in one minute on this machine."),
    "run": ("run", "Run a pipeline on this machine."),
    "validate": ("validate", "Check a pipeline and name every problem in it."),
    "preview": ("preview", "Print a pipeline with everything expanded."),
    "explain": ("explain", "Tell what a run would be, what it needs, and whether that is permitted."),
    "schema": ("schema", "Print a JSON schema of the language, for editors."),
    "serve": ("serve", "Serve the REST interface and the web pages, and carry runs out."),
    "runs": ("runs", "List, show, follow, cancel, resume and retry runs."),
    "permit": ("permit", "Permit a waiting run's pipeline to use what it waits for."),
    "deny": ("deny", "Refuse what a waiting run asks for."),
    "approve": ("approving:approve", "Approve what a run waits for you to approve."),
    "reject": ("approving:reject", "Reject what a run waits for you to approve."),
    "approvals": ("approving:approvals", "List the approvals that wait for you."),
    "cancel": ("runs:cancel", "Cancel a run."),
    "resume": ("runs:resume", "Go on with a run that stopped or waited."),
    "retry": ("runs:retry", "Run the failed parts of a run again."),
    "connection": ("connection", "Service connections: create, show, verify, update, permit, delete."),
    "variable-group": ("variable_group", "Variable groups: create, show, update, permit, delete."),
    "secure-file": ("secure_file", "Secure files: upload, list, permit, delete."),
    "environment": ("environment", "Environments: create, list, show, resources, permits, history."),
    "repository": ("repository", "Repositories of the project: which pipelines may use them."),
    "pool": ("pool", "Agent pools: create, list, show, permits, roles, usages, delete."),
    "check": ("check", "Checks on resources: approvals, branch control, business hours, locks, ..."),
    "authorization": ("authorization", "Permits, roles and policies of many resources, as a file."),
    "pipeline": ("pipeline", "Pipelines, and the variables that stay with one."),
    "project": ("project", "Projects: create, list, show, delete."),
    "user": ("user", "Users: create, list, show, disable, delete."),
    "group": ("group", "Groups of users, and who is in them."),
    "token": ("token", "Access tokens: create, list, revoke."),
    "whoami": ("whoami", "Who you are here."),
    "task": ("task", "Task packages: install, list, show, try, remove."),
    "extension": ("extension", "Extensions (.vsix): their tasks and connection types."),
    "cache": ("cache", "Caches of jobs: list them, clear them."),
    "audit": ("audit", "The audit log: list it, and verify that nobody edited it."),
    "key": ("key", "The master key that seals secrets."),
    "import": ("import_", "Turn classic build definitions into YAML."),
    "plugins": ("plugins", "What plugins are loaded and which are broken; write a new one."),
}
"""Command name -> module in `sluice.cli` (with `:attribute` unless it is `command`), and the line of help."""


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called; a plugin's commands come after its own."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if entry := COMMANDS.get(cmd_name):
            module, _, attribute = entry[0].partition(":")
            command = getattr(importlib.import_module(f"sluice.cli.{module}"), attribute or "command")
            assert isinstance(command, click.Command)  # noqa: S101  # tells mypy; the table is ours
            return with_examples_last(command)
        return _of_plugins().get(cmd_name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], [*COMMANDS, *_of_plugins()], n=1)
            hint = f"did you mean '{near[0]}'?" if near else "see 'sluice --help'"
            raise click.UsageError(f"no such command '{args[0]}' ({hint})", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in COMMANDS.items()])
        if more := _of_plugins():
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(name, more[name].get_short_help_str()) for name in sorted(more)])


def _of_plugins() -> Mapping[str, click.Command]:
    from sluice.hooks.manager import installed

    return {name: command for name, command in installed().commands.items() if name not in COMMANDS}


def _print_version(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from importlib.metadata import version

        click.echo(f"sluice {version('sluicegate')}")
        ctx.exit()


@click.command(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog="Start with: sluice demo",
)
@click.option("--version", is_flag=True, expose_value=False, is_eager=True, callback=_print_version, help="Show it.")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors; may stand behind a command too.")
@click.option(
    "--token-file", default="", metavar="FILE", help="Act with the access token in FILE (or in SLUICE_TOKEN)."
)
@click.pass_context
def sluice(ctx: click.Context, *, debug: bool, token_file: str) -> None:
    """Run Azure Pipelines YAML anywhere, with service connections that open only when permitted."""
    if token_file:
        os.environ["SLUICE_TOKEN_FILE"] = token_file  # as it reaches a run that goes on in the background
    ctx.ensure_object(dict)["debug"] = debug


def _options(arguments: Sequence[str]) -> Sequence[str]:
    """Arguments up to `--`, behind which nothing is an option."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def collect_rarely() -> None:
    """Look for cyclic garbage less often than Python does: we make little of it, and importing thousands of rows much else.

    It takes a fifth off such an import, for at most some MiB that are given back later.
    """
    gc.set_threshold(50_000, 20, 20)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit status."""
    shield()
    collect_rarely()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    reporting.open_streams()
    debug = "--debug" in _options(arguments)
    if debug and (named := next((one for one in arguments if not one.startswith("-")), "")) in {"", *COMMANDS}:
        arguments.remove("--debug")
        arguments.insert(arguments.index(named) if named else 0, "--debug")
    try:
        with reporting.reported(debug=debug):
            status = sluice.main(arguments, prog_name="sluice", standalone_mode=False)
            sys.stdout.flush()
            if isinstance(status, int) and status:
                raise SystemExit(status)
    finally:
        reporting.settle()
