"""`sluice authorization`: what pipelines and people may do with resources, as a file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sluice.cli.connection_entry import confirm, say
from sluice.cli.installation import current_user, guard_of, opened_database
from sluice.cli.output import output_option, print_json, print_table, project_option
from sluice.errors import ConflictError, NotFoundError

if TYPE_CHECKING:
    from sluice.cli.permitting import Find
    from sluice.identity.granting import Change, Granting, WantedResource
    from sluice.storage.engine import Database, Transaction
    from sluice.storage.permissions import Resource
    from sluice.storage.pipelines import Pipeline
    from sluice.storage.projects import Project

_HEADING = "# What pipelines and people may do in Sluice; bring it back with: sluice authorization apply FILE\n"


@click.group("authorization")
def command() -> None:
    """Permits, roles and policies of many resources at once, as a file.

    \b
    Example: sluice authorization show > permissions.yml
    """  # noqa: D301  # \b is click's mark for a paragraph that is not wrapped


@command.command("apply")
@click.argument("file", default="permissions.yml", type=click.Path(path_type=Path))
@click.option("--plan", "plan_only", is_flag=True, help="Only show what would be done.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@project_option
@output_option
def apply(file: Path, *, plan_only: bool, yes: bool, project: str, output: str) -> None:
    """Bring resources to what FILE (permissions.yml) says of them: all or none. A second time changes nothing.

    What the file says of a resource takes the place of all that holds: a pipeline that 'pipelines' does not name loses
    its permit. Resources that the file does not name, and lists that it leaves out, stay as they are. The plan is shown
    first.

    \b
    Example: sluice authorization apply permissions.yml --plan
    """  # noqa: D301  # as above
    from sluice.cli.authorization_document import read_document

    wanted = read_document(file)
    with opened_database() as database:
        granting = _granting(database)
        plan = granting.apply(database, project, wanted, plan_only=True)
        if output == "text":
            _show(plan)
        applied = bool(plan) and not plan_only and _agreed(plan, yes=yes)
        if applied and granting.apply(database, project, wanted) != plan:
            raise ConflictError("something changed meanwhile", do="look at it with 'sluice authorization show'")
    if output == "json":
        print_json({"applied": applied, "changes": [_as_row(one) for one in plan]})
    elif applied:
        click.echo(f"applied {len(plan)} {'change' if len(plan) == 1 else 'changes'}")
    elif plan:
        say("nothing was changed: this is the plan")


@command.command("show")
@project_option
@output_option
def show(*, project: str, output: str) -> None:
    """Print what holds of the resources of a project, as a file that apply reads.

    \b
    Example: sluice authorization show > permissions.yml
    """  # noqa: D301  # as above
    from sluice.cli.authorization_document import as_document

    with opened_database() as database, database.read() as transaction:
        document = as_document(_present(database, transaction, project))
    if output == "json":
        print_json(document)
        return
    import yaml

    click.echo(_HEADING + yaml.safe_dump(document, sort_keys=False, allow_unicode=True), nl=False)


def _agreed(plan: tuple[Change, ...], *, yes: bool) -> bool:
    if yes:
        return True
    count = "this change" if len(plan) == 1 else f"these {len(plan)} changes"
    return confirm(f"Make {count}?", otherwise="add --yes, or --plan to see the plan only")


def _granting(database: Database) -> Granting:
    from sluice.cli.permitting import named_pipeline
    from sluice.identity.granting import Granting

    guard = guard_of(database)

    def find(transaction: Transaction, project_id: int, kind: str, name: str) -> tuple[Resource, str]:
        return _finder(kind, name)(transaction, project_id, guard)

    def pipeline(transaction: Transaction, home: Project, text: str) -> Pipeline:
        return named_pipeline(transaction, home.name, home.id, text, guard, new=True)

    return Granting(guard=guard, find=find, pipeline=pipeline, by=current_user(), at=time.time())


def _finder(kind: str, name: str) -> Find:
    from sluice.authorization.resources import ENVIRONMENT, QUEUE, REPOSITORY, SECURE_FILE, VARIABLE_GROUP
    from sluice.cli import connection_permit, environment, pool, repository, secure_file_permit, variable_group_permit

    finders = {
        VARIABLE_GROUP: variable_group_permit.finder,
        SECURE_FILE: secure_file_permit.finder,
        ENVIRONMENT: environment.finder,
        REPOSITORY: repository.finder,
        QUEUE: pool.finder,
    }
    return finders.get(kind, connection_permit.finder)(name)


def _present(database: Database, transaction: Transaction, project: str) -> list[WantedResource]:
    from sluice.authorization.resources import ENDPOINT, ENVIRONMENT, QUEUE, REPOSITORY, SECURE_FILE, VARIABLE_GROUP
    from sluice.identity.granting import present
    from sluice.storage import connections, environments, pools, projects, repositories, secure_files, variable_groups

    guard = guard_of(database)
    home = projects.find(transaction, project)
    names = {
        ENDPOINT: connections.names(transaction, home.id),
        VARIABLE_GROUP: variable_groups.names(transaction, home.id),
        SECURE_FILE: secure_files.names(transaction, home.id),
        ENVIRONMENT: environments.names(transaction, home.id),
        REPOSITORY: [repositories.name_of(one) for one in repositories.listed(transaction, home)],
        QUEUE: pools.names(transaction, home.id),
    }
    found = []
    for kind, each in names.items():
        for name in each:
            try:
                resource, known = _finder(kind, name)(transaction, home.id, guard)
            except NotFoundError:  # the person does not see it
                continue
            found.append(present(transaction, guard, resource, known))
    return found


def _as_row(one: Change) -> dict[str, str]:
    from sluice.authorization.texts import TYPE_LABELS

    label = TYPE_LABELS.get(one.kind, one.kind).lower()
    return {"action": one.action, "resource": f"{label} '{one.name}'", "who": one.who, "details": one.details}


def _show(plan: tuple[Change, ...]) -> None:
    rows = [_as_row(one) for one in plan]
    print_table(rows, ["action", "resource", "who", "details"], empty="everything is as the file says")
