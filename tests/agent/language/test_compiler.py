"""Bad input: whatever is given, a clear error in bounded time."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import PipelineError
from sluice.language.compiler import compile_pipeline
from sluice.language.plan import Plan, Repository
from sluice.language.plan_json import decode, encode

Problems = Callable[..., list[str]]
LIST = "parameters: [{{name: l, type: object, default: [{}]}}]\n".format(",".join(map(str, range(1000))))


def nested_each(body: str) -> str:
    return LIST + "steps:\n- ${{ each a in parameters.l }}:\n  - ${{ each b in parameters.l }}:\n" + body


def chain(parameter: str, first: str, count: int = 60) -> tuple[str, Mapping[str, str]]:
    """Templates that hand a value on, bigger each time."""
    files = {
        f"{number}.yml": f"parameters: {{x: ''}}\nsteps:\n- template: {number + 1}.yml\n  parameters: {{x: {parameter}}}\n"
        for number in range(count)
    }
    files[f"{count}.yml"] = "parameters: {x: ''}\nsteps: [{script: '${{ convertToJson(parameters.x) }}'}]\n"
    return f"steps: [{{template: 0.yml, parameters: {{x: {first}}}}}]", files


BOMBS: dict[str, tuple[str, Mapping[str, str]]] = {
    "each in each": (nested_each("    - ${{ each c in parameters.l }}:\n      - script: x\n"), {}),
    "each without steps": (nested_each("    - ${{ each c in parameters.l }}:\n      - ${{ if 0 }}: []\n"), {}),
    "a template twice in itself": (
        "steps: [{template: t.yml}]",
        {"t.yml": "steps: [{template: t.yml}, {template: t.yml}]"},
    ),
    "a text twice in itself": chain("'${{ parameters.x }}${{ parameters.x }}'", "abcdefgh"),
    "a list twice in itself": chain("['${{ parameters.x }}', '${{ parameters.x }}']", "[a, b]"),
    "a mapping twice in itself": chain("{a: '${{ parameters.x }}', b: '${{ parameters.x }}'}", "{a: b}"),
    "long texts joined often": (
        LIST
        + "steps:\n- ${{ each a in parameters.l }}:\n  - script: ${{ join('"
        + "x" * 10_000
        + "', parameters.l) }}\n",
        {},
    ),
    "a deep expression": ("steps: [{script: '${{ " + "not(" * 4000 + "1" + ")" * 4000 + " }}'}]", {}),
    "unclosed expressions": ('steps: [{script: "' + "${{ ''" * 50_000 + '"}]', {}),
    "a huge matrix": (
        "jobs:\n- job: a\n  strategy:\n    matrix:\n"
        + "".join(f"      l{number}: {{a: b}}\n" for number in range(5000))
        + "  steps: [{script: x}]\n",
        {},
    ),
    "thousands of wrong steps": ("steps:\n" + "- scrip: x\n" * 10_000, {}),
    "thousands of unknown tasks": ("steps:\n" + "".join(f"- task: Foo{number}@1\n" for number in range(2000)), {}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_in_time(problems: Problems, name: str) -> None:
    text, files = BOMBS[name]
    start = time.monotonic()
    found = problems(text, files)
    assert found
    assert len(found) <= 101
    assert time.monotonic() - start < 10


def test_what_is_nested_too_deep_for_any_limit_is_refused(problems: Problems) -> None:
    deep = "[" * 90 + "'${{ parameters.x }}'" + "]" * 90
    text, files = chain("'${{ parameters.x }}'", "[a]", 1)
    files = {
        f"{n}.yml": f"parameters: {{x: ''}}\nsteps:\n- template: {n + 1}.yml\n  parameters: {{x: {deep}}}\n"
        for n in range(90)
    }
    files["90.yml"] = "parameters: {x: ''}\nsteps: [{script: '${{ convertToJson(parameters.x) }}'}]\n"
    (found,) = problems(text, files)
    assert "too deep" in found or "memory" in found


def test_a_bomb_of_structures_in_structures_is_cheap_when_nothing_prints_it() -> None:
    text, files = BOMBS["a mapping twice in itself"]

    class Given:
        def read(self, repository: Repository, path: str) -> str:
            return files[path].replace("${{ convertToJson(parameters.x) }}", "x")

    assert compile_pipeline("a.yml", text, files=Given()).stages


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("steps: [", "not valid YAML"),
        (b"\xff", "the file is not valid UTF-8"),
        ("steps: [{script: &a x}]\nfoo: *a", "a.yml:2:6: YAML aliases (*a) are not supported"),
    ],
)
def test_text_that_is_no_pipeline_is_refused(text: str | bytes, problem: str) -> None:
    with pytest.raises(PipelineError) as refused:
        compile_pipeline("a.yml", text)
    assert problem in str(refused.value)


def test_problems_come_in_the_order_of_the_lines() -> None:
    with pytest.raises(PipelineError) as refused:
        compile_pipeline("a.yml", "foo: 1\nsteps:\n- scrip: a\n- script: '${{ b }}'\n- script: c\n  dispayName: d\n")
    assert [problem.where.line for problem in refused.value.problems if problem.where] == [1, 3, 4, 6]


def test_garbage_collection_is_as_it_was() -> None:
    assert gc.isenabled()
    compile_pipeline("a.yml", "steps: [{script: a}]")
    assert gc.isenabled()


def test_the_compiler_imports_nothing_heavy() -> None:
    code = "import sys, sluice.language.compiler\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"sqlalchemy", "requests", "rich", "click", "cryptography", "pluggy", "paramiko"} & set(loaded)


PIECES = st.sampled_from(
    [
        "steps:", "jobs:", "stages:", "- script: a", "- job: A", "- stage: S", "- task: Bash@3", "- ${{ if x }}:", "name: a",
        "${{ each a in b }}:", "${{ insert }}: ${{ parameters }}", "variables:", "parameters:", "- name: a", "type: object",
        "default: [a]", "pool: server", "dependsOn: A", "strategy:", "matrix:", "condition: eq(1", "- template: b.yml",
        "extends:", "template: a", "inputs:", "env:", "resources:", "repositories:", "- repository: r", "trigger: none",
        "- ${{ parameters.a }}", "${{ else }}:", "x: ${{ 'a' }}", "- deployment: D", "environment: e", "runOnce:", "deploy:",
        "- group: g", "value: '${{ variables.a }}'", "enabled: false", "container: c", "target: {container: host}", "- - a",
        "- ${{ each x in parameters.a }}: ${{ x }}", "checkout: none", "? a", "- null", "~: b",
    ]
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), PIECES), max_size=14))
def test_no_pipeline_raises_anything_else(lines: list[tuple[int, str]]) -> None:
    text = "".join(f"{'  ' * depth}{piece}\n" for depth, piece in lines)
    try:
        plan = compile_pipeline("a.yml", text)
    except PipelineError as error:
        assert error.problems  # noqa: PT017  # any other exception fails the test
    else:
        assert decode(encode(plan)) == plan


JSON = st.recursive(
    st.sampled_from(["a", "self", "${{ parameters.a }}", "$[ variables.x ]", "true", "1", ""]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["steps", "jobs", "stages", "job", "stage", "script", "task", "template", "parameters", "variables", "pool", "name",
             "${{ if true }}", "${{ each a in parameters }}", "${{ insert }}", "strategy", "matrix", "resources", "extends",
             "deployment", "environment", "runOnce", "deploy", "container", "services", "dependsOn", "env", "inputs"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(JSON)
def test_no_structure_raises_anything_else(tree: object) -> None:
    try:
        compile_pipeline("a.yml", json.dumps(tree))
    except PipelineError as error:
        assert error.problems  # noqa: PT017  # any other exception fails the test


def test_thousands_of_steps_are_planned() -> None:
    step = "    - script: echo step\n      displayName: Step\n      env: {NUMBER: '1', CONFIG: $(config)}\n"
    text = "jobs:\n" + "".join(f"  - job: j{number}\n    steps:\n{step * 50}" for number in range(40))
    plan: Plan = compile_pipeline("a.yml", text)
    assert sum(len(job.steps) for job in plan.stages[0].jobs) == 40 * 51
