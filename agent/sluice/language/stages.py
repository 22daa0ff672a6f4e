"""Stages, and the implicit ones of files that start with jobs or steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.language.build import Names
from sluice.language.expressions import Phase
from sluice.language.graph import Unit, resolve
from sluice.language.jobs import IMPLICIT_JOB, build_job, build_jobs, check_name
from sluice.language.places import build_pool
from sluice.language.plan import Stage, Text
from sluice.language.problems import did_you_mean
from sluice.language.schema import IMPLICIT_JOB_KEYS, STAGE
from sluice.language.tree import Mapping, Scalar, Sequence, kind_of
from sluice.language.variables import build_variables

if TYPE_CHECKING:
    from sluice.language.build import Build
    from sluice.language.plan import Pool
    from sluice.language.reader import Fields
    from sluice.language.tree import Node

IMPLICIT_STAGE = "__default"
_JOB_FIELDS = IMPLICIT_JOB_KEYS | {"steps"}


def build_stages(build: Build, node: Node, pool: Pool | None, lock_behavior: str) -> tuple[Stage, ...]:
    """The stages in file order; one without `dependsOn` depends on the one before it."""
    items = node.items if type(node) is Sequence else []
    names = Names("the stage", build.problems)
    read = [(item, fields) for item in items if (fields := _read(build, item)) is not None and type(item) is Mapping]
    for _, fields in read:
        written = fields.get("stage")
        if type(written) is Scalar and written.value:
            check_name(build, written, "stage")
            names.take(written.value, written)
    named = [(item, fields, build.reader.text(fields, "stage") or names.make("Stage", item)) for item, fields in read]
    units: list[Unit] = []
    for item, fields, name in named:
        wanted = build.reader.texts(fields.get("dependsOn"), "dependsOn")
        if "dependsOn" not in fields and units and units[-1].name.casefold() != name.casefold():
            wanted = (Text(units[-1].name, item.where),)
        units.append(Unit(name, wanted, item.where))
    graph = resolve(units, "stage", build.problems, incomplete=build.incomplete)
    return tuple(_stage(build, item, fields, name, graph[name], pool, lock_behavior) for item, fields, name in named)


def _read(build: Build, item: Node) -> Fields | None:
    if type(item) is not Mapping:
        build.problems.add(f"a stage has to be a mapping, not {kind_of(item)}", item, do="write '- stage: NAME'")
        return None
    keys = {key.value for key, _ in item.pairs}
    if "stage" in keys:
        return build.reader.fields(item, STAGE)
    unknown = [key for key, _ in item.pairs if key.value not in STAGE.keys]
    for key in unknown:
        advice = STAGE.advice.get(key.value) or did_you_mean(key.value, STAGE.keys)
        build.problems.add(f"unknown key '{key.value}' of a stage", key, do=advice)
    if not unknown:
        build.problems.add("a stage has to start with 'stage'", item, do="write '- stage: NAME'")
    return None


def _stage(
    build: Build,
    item: Mapping,
    fields: Fields,
    name: str,
    depends_on: tuple[str, ...],
    root_pool: Pool | None,
    lock_behavior: str,
) -> Stage:
    reader = build.reader
    build.note_context(fields)
    own_pool = build_pool(build, fields.get("pool"))
    jobs = fields.get("jobs")
    if not build.incomplete and (type(jobs) is not Sequence or not jobs.items):
        build.problems.add(f"the stage '{name}' has no jobs", item)
    return Stage(
        name=name,
        display_name=reader.text(fields, "displayName") or name,
        jobs=build_jobs(build, jobs, own_pool or root_pool),
        depends_on=depends_on,
        condition=build.condition(fields, Phase.STAGE_CONDITION),
        variables=build_variables(build, fields.get("variables")),
        pool=own_pool,
        lock_behavior=reader.choice(fields, "lockBehavior", STAGE) or lock_behavior,
        manual=reader.choice(fields, "trigger", STAGE) == "manual",
        skippable=reader.boolean(fields, "isSkippable", default=True),
        where=item.where,
    )


def implicit_stage(build: Build, fields: Fields, root: Mapping, pool: Pool | None, lock_behavior: str) -> Stage:
    """The one stage of a pipeline that has only `jobs` or only `steps`."""
    if "jobs" in fields:
        jobs = build_jobs(build, fields["jobs"], pool)
    else:
        own = {name: value for name, value in fields.items() if name in _JOB_FIELDS}
        jobs = (build_job(build, own, IMPLICIT_JOB, root, pool),)
    return Stage(
        name=IMPLICIT_STAGE,
        display_name=IMPLICIT_STAGE,
        jobs=jobs,
        lock_behavior=lock_behavior,
        where=root.where,
    )
