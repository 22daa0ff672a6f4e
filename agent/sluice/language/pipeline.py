"""The root of a pipeline whose templates are expanded: from its tree to a plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.language.places import build_pool
from sluice.language.plan import Plan
from sluice.language.resource_lists import build_resources
from sluice.language.schema import IMPLICIT_JOB_KEYS, PIPELINE
from sluice.language.stages import build_stages, implicit_stage
from sluice.language.tree import Scalar, Sequence
from sluice.language.variables import build_variables

if TYPE_CHECKING:
    from collections.abc import Mapping as Dict

    from sluice.language.build import Build
    from sluice.language.plan import ExtendedFile, Pool, Stage
    from sluice.language.reader import Fields
    from sluice.language.tree import Mapping

_BODIES = ("stages", "jobs", "steps")
_TRIGGERS = ("trigger", "pr", "schedules")


def build_plan(
    build: Build,
    root: Mapping,
    *,
    parameters: Dict[str, object],
    files: tuple[str, ...] = (),
    extends: tuple[str, ...] = (),
    extended: tuple[ExtendedFile, ...] = (),
) -> Plan:
    """The plan of an expanded root; what is wrong with it goes to the build's problems."""
    reader = build.reader
    fields = reader.fields(root, PIPELINE)
    resources = build_resources(build, fields.get("resources"))
    for name in _TRIGGERS:
        node = fields.get(name)
        if node is not None and not (type(node) is Scalar and node.value.casefold() == "none"):
            build.problems.note(f"'{name}' is checked and kept, but a run that a person starts does not ask it", node)
    pool = build_pool(build, fields.get("pool"))
    lock_behavior = reader.choice(fields, "lockBehavior", PIPELINE)
    return Plan(
        file=root.source.name,
        stages=_stages(build, root, fields, pool, lock_behavior),
        variables=build_variables(build, fields.get("variables")),
        parameters=parameters,
        run_name=reader.text(fields, "name"),
        append_commit_message=reader.boolean(fields, "appendCommitMessageToRunName", default=True),
        lock_behavior=lock_behavior,
        pool=pool,
        repositories=resources.repositories,
        containers=resources.containers,
        resources=resources.others,
        triggers={name: reader.data(fields[name], PIPELINE.keys[name], name) for name in _TRIGGERS if name in fields},
        files=files,
        extends=extends,
        extended=extended,
    )


def _stages(build: Build, root: Mapping, fields: Fields, pool: Pool | None, lock_behavior: str) -> tuple[Stage, ...]:
    bodies = [name for name in _BODIES if name in fields]
    if len(bodies) != 1:
        if bodies:
            which = " and ".join(repr(name) for name in bodies)
            build.problems.add(f"a pipeline has one of 'stages', 'jobs' and 'steps', not {which}", fields[bodies[1]])
        elif not build.incomplete and not any(key.value in _BODIES for key, _ in root.pairs):
            build.problems.add("a pipeline needs 'stages', 'jobs', 'steps' or 'extends'", root)
        return ()
    body = fields[bodies[0]]
    if bodies[0] != "steps":
        for key, _ in root.pairs:
            if key.value in IMPLICIT_JOB_KEYS:
                build.problems.add(f"'{key.value}' at the root belongs to 'steps': put it into a job", key)
    if type(body) is Sequence and not body.items and not build.incomplete:
        build.problems.add(f"'{bodies[0]}' is empty: there is nothing to run", body)
        return ()
    if bodies[0] == "stages":
        return build_stages(build, body, pool, lock_behavior)
    return (implicit_stage(build, fields, root, pool, lock_behavior),)
