from __future__ import annotations

from collections.abc import Callable, Mapping
from textwrap import dedent

import pytest

from sluice.language.plan import Plan

Compiled = Callable[..., Plan]
Problems = Callable[..., list[str]]
SHOW = "\nsteps: [{script: '${{ convertToJson(parameters.p) }}'}]\n"


def declared(kind: str, rest: str = "") -> str:
    return f"parameters: [{{name: p, type: {kind}{rest}}}]" + SHOW


def shown(plan: Plan) -> str:
    return plan.stages[0].jobs[0].steps[1].inputs["script"].value


@pytest.mark.parametrize(
    ("kind", "value", "bound"),
    [
        ("string", "a", "a"),
        ("string", True, "true"),
        ("string", 3, "3"),
        ("number", "8", 8),
        ("number", 1.5, "1.5"),
        ("boolean", "True", True),
        ("boolean", False, False),
        ("object", {"a": [1, None, True]}, {"a": ["1", "", "true"]}),
        ("object", "{a: [b]}", {"a": ["b"]}),
        ("object", "text", "text"),
        ("stringList", ["a", "b"], ["a", "b"]),
        ("stringList", "[a, b]", ["a", "b"]),
        ("stepList", "[{script: a}]", [{"task": "CmdLine@2", "inputs": {"script": "a"}}]),
        ("environment", "e", "e"),
    ],
)
def test_what_is_given_is_brought_to_its_type(compiled: Compiled, kind: str, value: object, bound: object) -> None:
    assert compiled(declared(kind), parameters={"P": value}).parameters == {"p": bound}


def test_defaults_and_first_values_are_used(compiled: Compiled) -> None:
    assert compiled(declared("string", ", default: a, values: [b, a]")).parameters == {"p": "a"}
    assert compiled(declared("string", ", values: [b, a]")).parameters == {"p": "b"}
    assert compiled(declared("object", ", default: {a: b}")).parameters == {"p": {"a": "b"}}
    assert compiled(declared("string", ", default: ''")).parameters == {"p": ""}
    assert compiled("parameters: {p: x}" + SHOW).parameters == {"p": "x"}


@pytest.mark.parametrize(
    ("text", "given", "message"),
    [
        (
            declared("string"),
            {},
            "a.yml:1:21: A value for the 'p' parameter must be provided. (give it: --parameter p=VALUE)",
        ),
        (declared("string"), {"p": ["a"]}, "A sequence was not expected"),
        (declared("string"), {"p": {"a": 1}}, "A mapping was not expected"),
        (declared("string", ", values: [a, b]"), {"p": "c"}, "'c' is not allowed (one of: a, b)"),
        (declared("number"), {"p": "x"}, "'x' is not a number"),
        (declared("boolean"), {"p": "apples"}, "'apples' is neither true nor false"),
        (declared("boolean"), {"p": "yes"}, "'yes' is neither true nor false"),
        (declared("stepList"), {"p": "a"}, "a list is expected"),
        (declared("stringList", ", values: [a]"), {"p": ["b"]}, "'b' is not allowed"),
        (declared("text"), {}, "'type' cannot be 'text'"),
        (declared("string", ", default: '${{ a }}'"), {}, "has to be a literal, not an expression"),
        (declared("string", ", default: [a]"), {}, "A sequence was not expected"),
        (declared("string", ", default: a"), {"q": "b"}, "Unexpected parameter 'q'"),
        (declared("object"), {"p": "{a: ["}, "parameter p:2:1: not valid YAML"),
        ("parameters: [{nam: p}]" + SHOW, {}, "a parameter needs 'name'"),
        ("parameters: [{name: p, default: a}, {name: P, default: b}]" + SHOW, {}, "the parameter 'P' exists already"),
        ("parameters: text" + SHOW, {}, "'parameters' has to be a list"),
    ],
)
def test_a_wrong_value_is_told(problems: Problems, text: str, given: Mapping[str, object], message: str) -> None:
    found = problems(text, parameters=given)
    assert any(message in line for line in found), found


def template(declaration: str) -> dict[str, str]:
    return {"t.yml": declaration + SHOW}


def calling(given: str) -> str:
    return f"steps: [{{template: t.yml, parameters: {given}}}]"


def test_a_template_without_declared_parameters_takes_any(compiled: Compiled) -> None:
    assert shown(compiled(calling("{p: a}"), template(""))) == '"a"'
    assert shown(compiled(calling("{p: a, q: b}"), template("parameters: {q: c}"))) == '"a"'


def test_a_template_refuses_what_it_does_not_declare(problems: Problems) -> None:
    found = problems(calling("{p: a, qq: b}"), template("parameters: [{name: p}, {name: q, default: a}]"))
    assert found == ["a.yml:1:50: Unexpected parameter 'qq' (did you mean 'q'?)"]


def test_names_with_hyphens_are_read_by_index(compiled: Compiled) -> None:
    text = "parameters: [{name: a-b, default: c}]\nsteps: [{script: \"${{ parameters['a-b'] }}\"}]"
    assert shown(compiled(text)) == "c"


def test_the_whole_mapping_of_parameters_may_be_an_expression(compiled: Compiled) -> None:
    text = "parameters: [{name: all, type: object, default: {p: x}}]\n" + calling("'${{ parameters.all }}'")
    assert shown(compiled(text, template("parameters: [{name: p, type: string}]"))) == '"x"'


def test_steps_of_jobs_in_a_parameter_are_tasks(compiled: Compiled) -> None:
    text = """
        parameters:
        - name: jobs
          type: jobList
          default:
          - job: A
            steps: [{script: a, displayName: d}, {checkout: self}]
          - deployment: B
            environment: e
            strategy: {runOnce: {deploy: {steps: [{bash: b}]}}}
        jobs:
        - ${{ each job in parameters.jobs }}:
          - ${{ if eq(job.job, 'A') }}:
            - job: tasks
              steps:
              - script: ${{ join(' ', job.steps.*.task) }}
        - ${{ parameters.jobs }}
        """
    plan = compiled(dedent(text))
    first, second, third = plan.stages[0].jobs
    assert first.steps[1].inputs["script"].value == "CmdLine@2 6d15af64-176c-496d-b583-fd2ae21d4df4@1"
    assert [(step.task.value, step.display_name) for step in second.steps] == [
        ("CmdLine@2", "d"),
        ("Checkout@1", "Checkout self"),
    ]
    assert third.deployment is not None
    assert third.deployment.hooks[0].steps[1].task.value == "Bash@3"
