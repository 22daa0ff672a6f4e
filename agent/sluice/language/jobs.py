"""Jobs and deployment jobs of a stage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.language.build import NAME, Names
from sluice.language.container_steps import with_containers_started
from sluice.language.deployments import build_deployment
from sluice.language.expressions import Phase
from sluice.language.graph import Unit, resolve
from sluice.language.places import build_job_container, build_pool, build_services
from sluice.language.plan import Job, Strategy, Text
from sluice.language.problems import did_you_mean
from sluice.language.schema import DEPLOYMENT, JOB, STRATEGY, USES, WORKSPACE
from sluice.language.steps import build_steps
from sluice.language.tree import Mapping, Scalar, Sequence, kind_of
from sluice.language.variables import build_variables

if TYPE_CHECKING:
    from sluice.language.build import Build
    from sluice.language.plan import Pool
    from sluice.language.reader import Fields
    from sluice.language.tree import Node

IMPLICIT_JOB = "Job"
MAX_JOBS = 256
MAX_CANCEL_MINUTES = 35790
MAX_LEG_NAME = 100
_KEYWORDS = frozenset({"deployment", "job", "template"})


def build_jobs(build: Build, node: Node | None, pool: Pool | None) -> tuple[Job, ...]:
    """The jobs of a stage; `pool` is the one that a job without its own runs in."""
    items = node.items if type(node) is Sequence else []
    if len(items) > MAX_JOBS and node is not None:
        build.problems.add(f"a stage has at most {MAX_JOBS} jobs, not {len(items)}", node)
        return ()
    names = Names("the job", build.problems)
    read = [found for item in items if (found := _read(build, item)) is not None]
    for _, fields, key in read:
        written = fields.get(key)
        if type(written) is Scalar and written.value:
            check_name(build, written, key)
            names.take(written.value, written)
    named = [
        (item, fields, key, build.reader.text(fields, key) or names.make("Job", item)) for item, fields, key in read
    ]
    units = [
        Unit(name, build.reader.texts(fields.get("dependsOn"), "dependsOn"), item.where)
        for item, fields, _, name in named
    ]
    graph = resolve(units, "job", build.problems, incomplete=build.incomplete)
    return tuple(build_job(build, fields, name, item, pool, graph[name]) for item, fields, _, name in named)


def check_name(build: Build, node: Scalar, what: str) -> None:
    """Check the name of a stage, job or deployment."""
    name = node.value
    if NAME.match(name) is None:
        advice = "letters, digits and _ only, not starting with a digit"
        if "$(" in name or name.startswith("$["):
            advice = "names are read when the run is created: only '${{ }}' can be used"
        build.problems.add(f"'{name}' is no name for a {what}", node, do=advice)
    elif what != "stage" and (name.casefold() in _KEYWORDS or (what == "deployment" and name.casefold() == "deploy")):
        build.problems.add(f"'{name}' is a word of the language and no name for a {what}", node)


def _read(build: Build, item: Node) -> tuple[Mapping, Fields, str] | None:
    if type(item) is not Mapping:
        build.problems.add(f"a job has to be a mapping, not {kind_of(item)}", item, do="write '- job: NAME'")
        return None
    keys = {key.value for key, _ in item.pairs}
    if "job" in keys:
        return item, build.reader.fields(item, JOB), "job"
    if "deployment" in keys:
        return item, build.reader.fields(item, DEPLOYMENT), "deployment"
    known = {*JOB.keys, *DEPLOYMENT.keys}
    unknown = [key for key, _ in item.pairs if key.value not in known]
    for key in unknown:
        build.problems.add(f"unknown key '{key.value}' of a job", key, do=did_you_mean(key.value, known))
    if not unknown:
        build.problems.add("a job has to start with 'job' or 'deployment'", item, do="write '- job: NAME'")
    return None


def build_job(
    build: Build, fields: Fields, name: str, node: Mapping, stage_pool: Pool | None, depends_on: tuple[str, ...] = ()
) -> Job:
    """One job; `fields` are those of a job, a deployment job, or the root of a file that has only steps."""
    reader = build.reader
    pool = build_pool(build, fields.get("pool")) or stage_pool
    deploys = "deployment" in fields
    build.note_context(fields)
    server = pool is not None and pool.server
    if not deploys and "steps" not in fields:
        build.problems.note(f"the job '{name}' has no steps", node)
    job = Job(
        name=name,
        display_name=reader.text(fields, "displayName") or name,
        steps=() if deploys else build_steps(build, fields.get("steps"), checkout=not server),
        depends_on=depends_on,
        condition=build.condition(fields, Phase.CONDITION),
        variables=build_variables(build, fields.get("variables")),
        continue_on_error=reader.later_boolean(fields, "continueOnError"),
        timeout_minutes=reader.later_number(fields, "timeoutInMinutes"),
        cancel_timeout_minutes=reader.later_number(fields, "cancelTimeoutInMinutes", 1, MAX_CANCEL_MINUTES),
        strategy=None if deploys else _strategy(build, fields.get("strategy")),
        deployment=build_deployment(build, fields, name, node) if deploys else None,
        pool=pool,
        container=build_job_container(build, fields.get("container")),
        services=build_services(build, fields.get("services")),
        workspace_clean=_workspace(build, fields.get("workspace")),
        uses_repositories=_uses(build, fields.get("uses"), "repositories"),
        uses_pools=_uses(build, fields.get("uses"), "pools"),
        where=node.where,
    )
    build.check_later(job.continue_on_error, job.timeout_minutes, job.cancel_timeout_minutes)
    if isinstance(job.container, Text):
        build.check_later(job.container)
    return with_containers_started(job)


def _workspace(build: Build, node: Node | None) -> str:
    if type(node) is not Mapping:
        return ""
    return build.reader.choice(build.reader.fields(node, WORKSPACE), "clean", WORKSPACE)


def _uses(build: Build, node: Node | None, name: str) -> tuple[Text, ...]:
    if type(node) is not Mapping:
        return ()
    return build.reader.texts(build.reader.fields(node, USES).get(name), name)


def _strategy(build: Build, node: Node | None) -> Strategy | None:
    if type(node) is not Mapping:
        return None
    fields = build.reader.fields(node, STRATEGY)
    if "matrix" in fields and "parallel" in fields:
        build.problems.add("'matrix' and 'parallel' exclude each other", fields["parallel"])
    parallel = build.reader.later_number(fields, "parallel", 1, MAX_JOBS)
    max_parallel = build.reader.later_number(fields, "maxParallel")
    build.check_later(parallel, max_parallel)
    return Strategy(matrix=_matrix(build, fields.get("matrix")), parallel=parallel, max_parallel=max_parallel)


def _matrix(build: Build, node: Node | None) -> dict[str, dict[str, Text]] | Text | None:
    if type(node) is Scalar:
        text = node.value.strip()
        if not text:
            return None
        if not text.startswith("$["):
            build.problems.add("'matrix' has to be a mapping or a '$[ ]' expression", node)
        else:
            build.check_runtime(node)
        return Text(text, node.where)
    if type(node) is not Mapping:
        return None
    if len(node.pairs) > MAX_JOBS:
        build.problems.add(f"a matrix has at most {MAX_JOBS} legs, not {len(node.pairs)}", node)
        return None
    legs = {}
    for key, value in node.pairs:
        if not is_leg_name(key.value):
            advice = f"letters, digits and _, starting with a letter, at most {MAX_LEG_NAME} characters"
            build.problems.add(f"'{key.value}' is no name for a leg of a matrix", key, do=advice)
        leg = build.reader.mapping(value, f"the leg '{key.value}'")
        legs[key.value] = build.reader.text_map(leg, key.value)
    return legs


def is_leg_name(name: str) -> bool:
    """Whether a leg of a matrix may be called so; periods are in use although the documentation does not list them."""
    return NAME.match(name.replace(".", "_")) is not None and name[0].isalpha() and len(name) <= MAX_LEG_NAME
