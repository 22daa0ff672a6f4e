"""Permits a pipeline to use a resource, or takes that away: what the commands of each kind of resource share."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import click

from sluice.cli.installation import current_user, guard_of, opened_database
from sluice.cli.output import print_json
from sluice.errors import UsageError

if TYPE_CHECKING:
    from sluice.connections.guard import Guard
    from sluice.runs.decisions import ResourceName
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource
    from sluice.storage.pipelines import Pipeline

    Find = Callable[[Transaction, int, Guard], tuple[Resource, str]]
    """Finds the resource of a project that a person sees, and its name as it is stored."""

PERMIT_PIPELINE = click.option(
    "--pipeline", default="", help="The pipeline: its name, number, or the path of its file."
)
PERMIT_ALL = click.option("--all-pipelines", is_flag=True, help="Permit every pipeline of the project (open access).")
REVOKE_ALL = click.option("--all-pipelines", is_flag=True, help="End open access; permits of single pipelines stay.")


_CONNECTION = click.option(
    "--connection", "connections", multiple=True, metavar="NAME", help="Only this service connection (several: repeat)."
)
_GROUP = click.option(
    "--variable-group", "groups", multiple=True, metavar="NAME", help="Only this variable group (several: repeat)."
)
_ENVIRONMENT = click.option(
    "--environment", "environments", multiple=True, metavar="NAME", help="Only this environment (several: repeat)."
)

_FILE = click.option(
    "--secure-file", "files", multiple=True, metavar="NAME", help="Only this secure file (several: repeat)."
)


_REPOSITORY = click.option(
    "--repository", "repositories", multiple=True, metavar="NAME", help="Only this repository (several: repeat)."
)


_POOL = click.option("--pool", "pools", multiple=True, metavar="NAME", help="Only this agent pool (several: repeat).")


def resource_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options that name some of what a run waits for."""
    return _CONNECTION(_GROUP(_ENVIRONMENT(_FILE(_REPOSITORY(_POOL(command))))))


def named(
    connections: Sequence[str],
    groups: Sequence[str],
    environments: Sequence[str],
    files: Sequence[str],
    repositories: Sequence[str],
    pools: Sequence[str],
) -> list[ResourceName]:
    """What these options name."""
    from sluice.authorization.resources import ENDPOINT, ENVIRONMENT, QUEUE, REPOSITORY, SECURE_FILE, VARIABLE_GROUP
    from sluice.runs.decisions import ResourceName

    return [
        *(ResourceName(ENDPOINT, name) for name in connections),
        *(ResourceName(VARIABLE_GROUP, name) for name in groups),
        *(ResourceName(ENVIRONMENT, name) for name in environments),
        *(ResourceName(SECURE_FILE, name) for name in files),
        *(ResourceName(REPOSITORY, name) for name in repositories),
        *(ResourceName(QUEUE, name) for name in pools),
    ]


def named_pipeline(
    transaction: Transaction, project: str, project_id: int, text: str, guard: Guard, *, new: bool
) -> Pipeline:
    """The pipeline that a person names. With `new`, one that has never been run becomes known by the path of its file."""
    from pathlib import Path

    from sluice.runs.compiling import find_file, place_of
    from sluice.runs.pipelines import listed, register_in
    from sluice.storage import pipelines

    if found := pipelines.look_up(transaction, project_id, text):
        return found
    path = place_of(Path(text))
    if found := pipelines.by_source(transaction, project_id, str(path)):
        return found
    if not (new and path.is_file()):
        raise pipelines.not_found(text, [one.name for one in listed(transaction, project_id, guard)])
    return register_in(transaction, project, find_file(path), by=current_user(), at=time.time(), guard=guard)[1]


def limit_options(command: Callable[..., None]) -> Callable[..., None]:
    """Options that limit a permit to some uses of a pipeline."""
    for option in (
        click.option("--branch", "branches", multiple=True, metavar="REF", help="Only on this branch; * is anything."),
        click.option("--stage", "stages", multiple=True, metavar="NAME", help="Only in this stage (several: repeat)."),
    ):
        command = option(command)
    return command


def limits_text(stages: Sequence[str], branches: Sequence[str], tasks: Sequence[str] = ()) -> str:
    """The limits that these options name, as they are stored."""
    from sluice.authorization.limits import Limits

    return Limits.of(stages, branches, tasks).text()


def change_permit(
    find: Find, pipeline: str, project: str, output: str, *, everybody: bool, granted: bool, limits: str = ""
) -> None:
    """Grant (within `limits`) or revoke the permit of one pipeline, or of all (`everybody`), and say so."""
    if bool(pipeline) == everybody:
        raise UsageError("name one pipeline with --pipeline, or give --all-pipelines")
    from sluice.authorization.limits import Limits
    from sluice.connections.guard import require_permit
    from sluice.storage import permissions, projects

    with opened_database() as database, database.write() as transaction:
        home = projects.find(transaction, project)
        guard = guard_of(database)
        resource, name = find(transaction, home.id, guard)
        found = None if everybody else named_pipeline(transaction, project, home.id, pipeline, guard, new=granted)
        pipeline_id = found.id if found else permissions.ALL_PIPELINES
        require_permit(guard, transaction, resource, name, pipeline_id)
        by, now = current_user(), time.time()
        if granted:
            changed = permissions.grant(transaction, resource, pipeline_id, by=by, at=now, limits=limits, replace=True)
        else:
            changed = permissions.revoke(transaction, resource, pipeline_id, by=by, at=now)
    within = Limits.parse(limits)
    if output == "json":
        facts = {"pipeline": found.name if found else None, "permitted": granted, "changed": changed}
        print_json({"id": resource.id, "name": name, **facts, **({"limits": within.as_json()} if within else {})})
        return
    who = f"pipeline '{found.name}'" if found else "all pipelines"
    state = "may use" if granted else "may not use"
    limited = f" within {within}" if within else ""
    click.echo(f"{who}: {state} '{name}'{limited}" + ("" if changed else " (as before)"))
