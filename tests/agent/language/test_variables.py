from __future__ import annotations

from collections.abc import Callable

import pytest

from sluice.language.plan import Plan

Compiled = Callable[..., Plan]
Problems = Callable[..., list[str]]
STEPS = "\nsteps: [{script: x}]\n"


def test_both_forms_keep_the_text_and_the_order(compiled: Compiled) -> None:
    plan = compiled("variables: {b: 1.10, a: yes}" + STEPS)
    assert [(each.name, str(each.value)) for each in plan.variables] == [("b", "1.10"), ("a", "yes")]
    plan = compiled("variables: [{name: x, value: 1, readonly: true}, {group: g}, {name: x, value: 2}]" + STEPS)
    assert [(each.name, str(each.value), each.readonly, each.group) for each in plan.variables] == [
        ("x", "1", True, False),
        ("g", "g", False, True),
        ("x", "2", False, False),
    ]


def test_a_reserved_name_and_a_partial_runtime_expression_are_noted(compiled: Compiled) -> None:
    plan = compiled("variables: {secretThing: 1, x: 'a $[ b ]'}" + STEPS)
    assert len(plan.notes) == 2


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ("{a: [b]}", "the variable 'a' has to be a text, not a sequence"),
        ("[a]", "an item of 'variables' has to be a mapping, not a text"),
        ("[{nam: a, value: b}]", "unknown key 'nam' of a variable (did you mean 'name'?)"),
        ("[{name: a, value: b, secret: true}]", "unknown key 'secret' of a variable"),
        ("[{name: a, group: b}]", "unknown key 'group' of a variable"),
        ("{a: '$[ eq(1 ]'}", "Unclosed function: 'eq'"),
        ("text", "'variables' of a pipeline has to be a list or a mapping, not a text"),
    ],
)
def test_a_wrong_variable_is_told(problems: Problems, variables: str, message: str) -> None:
    assert any(message in line for line in problems(f"variables: {variables}{STEPS}"))


def test_a_template_expression_reads_what_is_written_so_far(compiled: Compiled) -> None:
    plan = compiled("""
        variables:
        - {name: a, value: x}
        - {name: b, value: '${{ variables.A }}y'}
        - {group: g}
        stages:
        - stage: S
          variables: {a: stage, c: '${{ variables.a }}'}
          jobs:
          - job: J
            displayName: ${{ variables.b }} ${{ variables.a }} ${{ variables.c }} ${{ variables.d }}
            variables: {a: job}
            steps: [{script: '${{ variables.a }}'}]
          - job: K
            steps: [{script: '${{ variables.a }}'}]
        """)
    first, second = plan.stages[0].jobs
    assert first.display_name == "xy job stage "
    assert [job.steps[1].inputs["script"].value for job in (first, second)] == ["job", "stage"]


def test_predefined_variables_are_known(compiled: Compiled) -> None:
    plan = compiled("steps: [{script: \"${{ variables['Build.Reason'] }}\"}]", predefined={"Build.Reason": "Manual"})
    assert plan.stages[0].jobs[0].steps[1].inputs["script"].value == "Manual"
