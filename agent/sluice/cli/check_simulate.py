"""`sluice check simulate`: what a check would say to a run that somebody makes up."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sluice.cli.installation import current_user
from sluice.cli.output import as_time, output_option, plain, print_json, project_option
from sluice.cli.run import pairs
from sluice.cli.session import configurations_of, opened_orchestrator
from sluice.errors import NotFoundError

if TYPE_CHECKING:
    from sluice.hooks.checks import Decision
    from sluice.runs.check_configuring import Configurations, On
    from sluice.runs.orchestrator import Orchestrator
    from sluice.runs.simulating import MadeUp
    from sluice.storage.check_configurations import ConfigurationRow


@click.command("simulate", epilog="Example: sluice check simulate production --branch main --at 2027-01-04T09:30Z")
@click.argument("name", metavar="NAME")
@click.option("--branch", default="", help="The branch that would be run.")
@click.option("--requester", default="", help="Who would queue the run (default: you).")
@click.option(
    "--at", default="", metavar="TIME", help="When: 2027-01-04T09:30Z, or with another offset (default: now)."
)
@click.option("--pipeline", default="", help="The name of the pipeline.")
@click.option("--stage", default="Deploy", show_default=True, help="The name of the stage.")
@click.option("--reason", default="Manual", show_default=True, help="Build.Reason, such as PullRequest.")
@click.option("--untrusted", is_flag=True, help="A run of somebody else's code, as of a fork.")
@click.option("--variable", "variables", multiple=True, metavar="NAME=VALUE", help="A variable of the run.")
@click.option(
    "--file", type=click.Path(path_type=Path), default=None, help="A pipeline file: its templates and images count."
)
@project_option
@output_option
def command(name: str, *, project: str, output: str, **given: Any) -> None:
    """Evaluate checks, really, for a run that there is not. Nothing of it is kept but the uses of connections.

    NAME is the number of a check, or the name of a resource: then all its checks are asked. Exit status 1 when one of
    them would not pass.
    """
    from sluice.runs.simulating import simulate

    with opened_orchestrator() as orchestrator:
        configurations = configurations_of(orchestrator)
        made_up = _made_up(orchestrator, given)
        found = _found(configurations, project, name)
        guard = orchestrator.store.guard
        decisions = [(row, on, simulate(orchestrator, row, on, made_up, guard)) for row, on in found]
        if output == "json":
            print_json([_describe(orchestrator, *one) for one in decisions])
        else:
            for one in decisions:
                _print(orchestrator, *one)
    bad = any(decision.outcome in {"rejected", "error"} for *_, decision in decisions)
    if bad:
        raise SystemExit(1)


def _found(configurations: Configurations, project: str, name: str) -> list[tuple[ConfigurationRow, On]]:
    from sluice.storage.names import name_key

    if name.isdecimal():
        with configurations.orchestrator.database.read() as transaction:
            return [configurations.get(transaction, project, int(name[:9]))]
    every = configurations.listed(project)
    found = [(row, on) for row, on in every if name_key(name) in {name_key(on.name), on.resource.id}]
    if not found:
        known = ", ".join(sorted({on.name for _, on in every})) or "none"
        raise NotFoundError(f"there are no checks on '{name}'", do=f"there are checks on: {known}")
    return found


def _made_up(orchestrator: Orchestrator, given: dict[str, Any]) -> MadeUp:
    from sluice.runs.check_facts import RunSource
    from sluice.runs.simulating import MadeUp

    plan, source, pipeline = None, RunSource(), given["pipeline"]
    if given["file"] is not None:
        from sluice.cli.pipeline_file import asked_file
        from sluice.cli.session import task_catalogue
        from sluice.runs.compiling import compile_file

        file, more, identity = asked_file(given["file"], (), ())
        plan = compile_file(file, more, catalogue=task_catalogue(), identity=identity)
        pipeline = pipeline or file.name
        source = RunSource(
            name=file.source.name,
            provider=file.source.provider,
            branch=file.source.branch,
            commit=file.source.version,
        )
    return MadeUp(
        requester=given["requester"] or current_user(),
        at=moment(given["at"]) if given["at"] else orchestrator.clock(),
        branch=given["branch"],
        pipeline=pipeline or "made-up",
        stage=given["stage"],
        reason=given["reason"],
        untrusted=given["untrusted"],
        variables=pairs("variable", given["variables"]),
        plan=plan,
        source=source,
    )


def moment(text: str) -> float:
    """A time that somebody writes, in ISO 8601; without an offset it is UTC. Raises `UsageError`."""
    from datetime import UTC, datetime

    from sluice.errors import UsageError

    try:
        found = datetime.fromisoformat(text.strip())
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"'{text}' is no time", do="write it as 2027-01-04T09:30Z") from error


def _describe(orchestrator: Orchestrator, row: ConfigurationRow, on: On, decision: Decision) -> dict[str, Any]:
    from sluice.cli.check import label

    return {
        "id": row.id,
        "kind": row.kind,
        "label": label(orchestrator, row),
        "resource": {"type": on.resource.type, "name": on.name},
        "isDisabled": row.disabled,
        "outcome": decision.outcome,
        "message": decision.message,
        "until": as_time(decision.until.timestamp() if decision.until else None),
    }


_OUTCOMES = {"approved": "passes", "rejected": "does not pass", "waiting": "waits", "error": "cannot be evaluated"}


def _print(orchestrator: Orchestrator, row: ConfigurationRow, on: On, decision: Decision) -> None:
    from sluice.cli.check import label

    text = f"{label(orchestrator, row)} on {on.label.lower()} '{plain(on.name)}': {_OUTCOMES[decision.outcome]}"
    if decision.message:
        text += f": {plain(decision.message)}"
    if decision.until:
        text += f" (until {as_time(decision.until.timestamp())})"
    click.echo(text + (" [disabled: runs are not asked]" if row.disabled else ""))
