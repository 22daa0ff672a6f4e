from __future__ import annotations

from collections.abc import Callable

import pytest

from sluice.language.plan import Job, Plan

Compiled = Callable[..., Plan]
Problems = Callable[..., list[str]]
STEPS = "steps: [{script: x}]"


def jobs_of(plan: Plan) -> list[Job]:
    return [job for stage in plan.stages for job in stage.jobs]


def test_the_settings_of_a_job_are_kept(compiled: Compiled) -> None:
    plan = compiled("""
        resources: {containers: [{container: box, image: alpine}]}
        jobs:
        - job: A
          displayName: The A
          condition: always()
          continueOnError: true
          timeoutInMinutes: 5
          cancelTimeoutInMinutes: $[ variables.x ]
          pool: {name: lab, demands: [gpu, a -equals b]}
          container: box
          services: {db: box}
          workspace: {clean: all}
          uses: {repositories: [r], pools: p}
          variables: {a: 1}
          steps: [{script: x}]
        """)
    (job,) = jobs_of(plan)
    assert (job.name, job.display_name, str(job.condition)) == ("A", "The A", "always()")
    assert (str(job.continue_on_error), str(job.timeout_minutes)) == ("true", "5")
    assert str(job.cancel_timeout_minutes) == "$[ variables.x ]"
    assert job.pool is not None
    assert (job.pool.name, job.pool.demands) == ("lab", ("gpu", "a -equals b"))
    assert str(job.container) == "box"
    assert {name: str(text) for name, text in job.services.items()} == {"db": "box"}
    assert job.workspace_clean == "all"
    assert [str(text) for text in (*job.uses_repositories, *job.uses_pools)] == ["r", "p"]


def test_pools_are_inherited(compiled: Compiled) -> None:
    plan = compiled(f"""
        pool: root
        stages:
        - stage: A
          jobs: [{{job: a, {STEPS}}}]
        - stage: B
          pool: {{vmImage: ubuntu-latest}}
          jobs: [{{job: b, {STEPS}}}, {{job: c, pool: server, steps: [{{task: Delay@1}}]}}]
        """)
    pools = [job.pool for job in jobs_of(plan)]
    assert [(pool.name, pool.vm_image, pool.server) for pool in pools if pool] == [
        ("root", "", False),
        ("", "ubuntu-latest", False),
        ("", "", True),
    ]


def test_the_root_may_hold_the_settings_of_the_only_job(compiled: Compiled) -> None:
    plan = compiled("""
        continueOnError: true
        container: alpine:3
        strategy: {parallel: 2}
        workspace: {clean: outputs}
        steps: [{script: x}]
        """)
    (job,) = jobs_of(plan)
    assert (job.name, plan.stages[0].name, str(job.container)) == ("Job", "__default", "alpine:3")
    assert job.strategy is not None
    assert str(job.strategy.parallel) == "2"


def test_jobs_without_a_name_get_one_that_is_free(compiled: Compiled) -> None:
    plan = compiled(f"jobs:\n- job:\n  {STEPS}\n- {{job: job2, {STEPS}}}\n- job: ''\n  {STEPS}\n")
    assert [job.name for job in jobs_of(plan)] == ["Job1", "job2", "Job3"]


def test_dependencies_are_spelt_as_the_jobs_are(compiled: Compiled) -> None:
    plan = compiled(f"jobs:\n- {{job: A, {STEPS}}}\n- {{job: B, dependsOn: [a, A, ''], {STEPS}}}\n")
    assert [job.depends_on for job in jobs_of(plan)] == [(), ("A",)]


def test_a_matrix_has_legs_of_variables(compiled: Compiled) -> None:
    plan = compiled(
        f"jobs:\n- job: A\n  strategy: {{matrix: {{x: {{v: 1}}, y: {{v: 2}}}}, maxParallel: 1}}\n  {STEPS}\n"
    )
    strategy = jobs_of(plan)[0].strategy
    assert strategy is not None
    assert isinstance(strategy.matrix, dict)
    assert {leg: {name: str(text) for name, text in values.items()} for leg, values in strategy.matrix.items()} == {
        "x": {"v": "1"},
        "y": {"v": "2"},
    }
    assert str(strategy.max_parallel) == "1"


@pytest.mark.parametrize(
    ("job", "message"),
    [
        (f"{{jobb: a, {STEPS}}}", "unknown key 'jobb' of a job (did you mean 'job'?)"),
        (f"{{{STEPS}}}", "a job has to start with 'job' or 'deployment'"),
        ("a", "a job has to be a mapping, not a text"),
        (f"{{job: 1a, {STEPS}}}", "'1a' is no name for a job"),
        (f"{{job: deployment, {STEPS}}}", "'deployment' is a word of the language"),
        (f"{{job: $(x), {STEPS}}}", "only '${{ }}' can be used"),
        (f"{{job: a, dependsOn: b, {STEPS}}}", "job 'a' depends on 'b', which does not exist"),
        (f"{{job: a, dependsOn: a, {STEPS}}}", "job 'a' depends on itself"),
        (f"{{job: a, dependsOn: $(b), {STEPS}}}", "'dependsOn' is read when the run is created"),
        (f"{{job: a, environment: e, {STEPS}}}", "write 'deployment:' instead of 'job:'"),
        (f"{{job: a, cancelTimeoutInMinutes: 0, {STEPS}}}", "has to be from 1 to 35790, not 0"),
        (f"{{job: a, timeoutInMinutes: '$[ eq(1 ]', {STEPS}}}", "Unclosed function: 'eq'"),
        (f"{{job: a, condition: nope(), {STEPS}}}", "Unrecognized"),
        (
            f"{{job: a, workspace: {{clean: some}}, {STEPS}}}",
            "'clean' cannot be 'some' (known: outputs, resources, all)",
        ),
        (f"{{job: a, strategy: {{parallel: 0}}, {STEPS}}}", "'parallel' has to be from 1 to 256, not 0"),
        (f"{{job: a, strategy: {{matrix: text}}, {STEPS}}}", "'matrix' has to be a mapping or a '$[ ]' expression"),
        (f"{{job: a, strategy: {{matrix: {{a-b: {{c: d}}}}}}, {STEPS}}}", "'a-b' is no name for a leg"),
        (f"{{job: a, strategy: {{runOnce: {{}}}}, {STEPS}}}", "'runOnce' belongs to a deployment job"),
        (f"{{job: a, container: {{options: x}}, {STEPS}}}", "a container needs 'image' or 'alias'"),
    ],
)
def test_a_wrong_job_is_told(problems: Problems, job: str, message: str) -> None:
    assert any(message in line for line in problems(f"jobs:\n- {job}\n"))


def test_a_circle_is_told_with_its_members(problems: Problems) -> None:
    found = problems(f"""
        jobs:
        - {{job: a, dependsOn: c, {STEPS}}}
        - {{job: b, dependsOn: a, {STEPS}}}
        - {{job: c, dependsOn: b, {STEPS}}}
        - {{job: d, dependsOn: c, {STEPS}}}
        """)
    assert found == ["a.yml:3:3: jobs depend on each other in a circle: a -> c -> b -> a"]


def test_a_stage_has_at_most_256_jobs(problems: Problems) -> None:
    found = problems("jobs:\n" + "".join(f"- {{job: j{number}, {STEPS}}}\n" for number in range(257)))
    assert found == ["a.yml:2:1: a stage has at most 256 jobs, not 257"]


def test_stages_follow_one_another_unless_they_say_otherwise(compiled: Compiled) -> None:
    plan = compiled(f"""
        lockBehavior: sequential
        stages:
        - stage: A
          displayName: First
          jobs: [{{job: a, {STEPS}}}]
        - stage:
          trigger: manual
          isSkippable: false
          lockBehavior: runLatest
          jobs: [{{job: a, {STEPS}}}]
        - stage: C
          dependsOn: []
          condition: always()
          variables: {{v: 1}}
          jobs: [{{job: a, {STEPS}}}]
        """)
    assert [(stage.name, stage.depends_on) for stage in plan.stages] == [("A", ()), ("Stage1", ("A",)), ("C", ())]
    assert [stage.lock_behavior for stage in plan.stages] == ["sequential", "runLatest", "sequential"]
    assert (plan.stages[1].manual, plan.stages[1].skippable) == (True, False)
    assert plan.stage("c").variables[0].name == "v"


@pytest.mark.parametrize(
    ("stage", "message"),
    [
        ("{stage: a}", "the stage 'a' has no jobs"),
        ("{stag: a, jobs: []}", "unknown key 'stag' of a stage (did you mean 'stage'?)"),
        ("{stage: a, steps: []}", "put the steps into a job"),
        ("{stage: a-b, jobs: []}", "'a-b' is no name for a stage"),
        ("{stage: a, trigger: never, jobs: []}", "'trigger' cannot be 'never' (known: automatic, manual)"),
        ("{stage: a, condition: stageDependencies.x.y.result, jobs: []}", "Unrecognized"),
    ],
)
def test_a_wrong_stage_is_told(problems: Problems, stage: str, message: str) -> None:
    assert any(message in line for line in problems(f"stages:\n- {stage}\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{}", "a pipeline needs 'stages', 'jobs', 'steps' or 'extends'"),
        ("[]", "a pipeline has to be a mapping, not a sequence"),
        ("# nothing", "the file is empty"),
        (
            "steps: [{script: a}]\njobs: []",
            "a pipeline has one of 'stages', 'jobs' and 'steps', not 'jobs' and 'steps'",
        ),
        ("jobs: []", "'jobs' is empty"),
        ("container: x\njobs: [{job: a, steps: [{script: x}]}]", "'container' at the root belongs to 'steps'"),
        ("step: []", "unknown key 'step' of a pipeline (did you mean 'steps'?)"),
        ("phases: []", "write 'jobs'"),
        ("lockBehavior: first\nsteps: [{script: a}]", "'lockBehavior' cannot be 'first'"),
    ],
)
def test_a_wrong_root_is_told(problems: Problems, text: str, message: str) -> None:
    assert any(message in line for line in problems(text))
