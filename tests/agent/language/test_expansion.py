from __future__ import annotations

from collections.abc import Callable
from textwrap import indent

import pytest

from sluice.language.plan import Plan

Compiled = Callable[..., Plan]
Problems = Callable[..., list[str]]
HEAD = """\
parameters:
- {name: yes, type: boolean, default: true}
- {name: no, type: boolean, default: false}
- {name: list, type: object, default: [a, b]}
- {name: map, type: object, default: {k: v, l: w}}
- {name: none, type: object, default: []}
- {name: text, type: string, default: hello}
"""


def scripts(plan: Plan) -> list[str]:
    return [step.inputs["script"].value for step in plan.stages[0].jobs[0].steps if "script" in step.inputs]


def body(steps: str) -> str:
    return HEAD + "steps:\n" + steps


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ("- ${{ if parameters.yes }}:\n  - script: a\n", ["a"]),
        ("- ${{ if parameters.no }}:\n  - script: a\n- ${{ else }}:\n  - script: b\n", ["b"]),
        ("- ${{ if parameters.no }}:\n  - script: a\n  ${{ else }}:\n  - script: b\n", ["b"]),
        (
            (
                "- ${{ if parameters.no }}:\n  - script: a\n- ${{ elseif parameters.yes }}:\n  - script: b\n"
                "- ${{ else }}:\n  - script: c\n"
            ),
            ["b"],
        ),
        (
            (
                "- ${{ if parameters.yes }}:\n  - script: a\n- ${{ elseif parameters.yes }}:\n  - script: b\n"
                "- ${{ else }}:\n  - script: c\n"
            ),
            ["a"],
        ),
        ("- ${{ if parameters.no }}:\n    script: a\n- ${{ else }}:\n    script: b\n", ["b"]),
        ("- ${{ if parameters.no }}:\n    script: a\n- script: c\n", ["c"]),
        ("- ${{ each x in parameters.list }}:\n  - script: ${{ x }}\n", ["a", "b"]),
        ("- ${{ each x in parameters.list }} :\n  - script: ${{ x }}\n", ["a", "b"]),
        ("- ${{ each x in parameters.map }}:\n  - script: ${{ x.key }}=${{ x.value }}\n", ["k=v", "l=w"]),
        ("- ${{ each x in parameters.none }}:\n  - script: ${{ x }}\n- script: end\n", ["end"]),
        ("- ${{ each x in parameters.map.missing }}:\n  - script: ${{ x }}\n- script: end\n", ["end"]),
        ("- ${{ if parameters.yes }}:\n  - ${{ each x in parameters.list }}:\n    - script: ${{ x }}\n", ["a", "b"]),
        ("- script: ${{ parameters.yes }} ${{ 1.50 }} ${{ parameters.map.nothing }}.\n", ["True 1.5 ."]),
        ("- script: ${{ 'a${{b' }}\n", ["a${{b"]),
        ("- ${{ insert }}: {script: a}\n", ["a"]),
        ("- {script: a, '${{ insert }}': {displayName: b}}\n", ["a"]),
        ("- ${{ 'script' }}: a\n", ["a"]),
        ("- script: a\n  ${{ if parameters.no }}:\n    bash: b\n", ["a"]),
        (
            "- script:\n    ${{ if parameters.no }}: a\n    ${{ else }}: b\n",
            ["b"],
        ),
        ("- ${{ if parameters.no }}: []\n- ${{ else }}:\n  - script: b\n- script: c\n", ["b", "c"]),
    ],
)
def test_directives_and_expressions_are_expanded(compiled: Compiled, steps: str, expected: list[str]) -> None:
    assert scripts(compiled(body(steps))) == expected


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("- script: ${{ nope }}\n", "a.yml:9:15: Unrecognized"),
        ("- script: ${{ eq(1 }}\n", "Unclosed function: 'eq'"),
        ("- script: ${{ 3 + 4 }}\n", "Unexpected symbol: '+'"),
        ("- script: a ${{ parameters.list }}\n", "Unable to convert from Array to String"),
        ("- script: ${{ parameters.missing }}\n", "Key not found 'missing'"),
        ("- script: a ${{ b\n", "a.yml:9:11: '${{' without '}}'"),
        ("- ${{ else }}:\n  - script: a\n", "a.yml:9:3: 'else' has to follow an 'if'"),
        (
            "- ${{ if false }}:\n  - script: a\n- script: b\n- ${{ else }}:\n  - script: c\n",
            "a.yml:12:3: 'else' has to",
        ),
        ("- ${{ if 0 }}: []\n- ${{ else }}: []\n- ${{ else }}: []\n", "a.yml:11:3: 'else' has to follow an 'if'"),
        ("- ${{ each x in parameters.text }}:\n  - script: a\n", "'each' goes over a list or a mapping"),
        ("- ${{ each x parameters.list }}:\n  - script: a\n", "'each' is written"),
        ("- ${{ if false }}:\n  - script: ${{ 3 + 4 }}\n", "a.yml:10:19: Unexpected symbol: '+'"),
        ("- ${{ if false }}:\n  - ${{ if eq( }}:\n    - script: b\n", "a.yml:10:12:"),
        ("- {script: a, '${{ insert }}': {script: b}}\n", "'script' is already defined"),
        ("- {script: a, '${{ parameters.list }}': b}\n", "a key has to be a text, not a sequence"),
    ],
)
def test_what_cannot_be_expanded_is_told_at_its_place(problems: Problems, steps: str, message: str) -> None:
    found = problems(body(steps))
    assert any(message in line for line in found), found


def test_an_unknown_name_in_a_dropped_branch_is_no_problem(compiled: Compiled) -> None:
    compiled(body("- ${{ if false }}:\n  - script: ${{ nope.x }}\n- script: a\n"))


def test_every_expression_that_fails_is_told_once_and_nothing_that_follows_from_it(problems: Problems) -> None:
    found = problems(
        body("- task: ${{ nope }}\n- script: a\n  timeoutInMinutes: ${{ nope }}\n- ${{ if nope }}:\n  - script: b\n")
    )
    assert len(found) == 3
    assert all("Unrecognized" in line for line in found)


def test_structures_keep_the_places_where_they_were_written(problems: Problems) -> None:
    text = "parameters:\n- name: p\n  type: object\n  default:\n  - scrip: a\nsteps:\n- ${{ parameters.p }}\n"
    assert problems(text) == ["a.yml:5:5: unknown key 'scrip' of a step (did you mean 'script'?)"]


def test_values_of_expressions_are_not_expanded_again(compiled: Compiled) -> None:
    text = "steps:\n- script: ${{ variables.x }}\n"
    assert scripts(compiled(text, predefined={"x": "${{ y }} $(z)"})) == ["${{ y }} $(z)"]


def test_directives_work_in_every_mapping(compiled: Compiled) -> None:
    text = """
    variables:
      ${{ if parameters.yes }}:
        a: '1'
      ${{ each pair in parameters.map }}:
        ${{ pair.key }}: ${{ pair.value }}
    jobs:
    - job: J
      pool:
        ${{ if parameters.no }}:
          name: x
        ${{ else }}:
          vmImage: y
      dependsOn:
      - ${{ if parameters.no }}:
        - K
      steps:
      - script: ${{ variables.a }}${{ variables.k }}
        env:
          ${{ insert }}: ${{ parameters.map }}
    """
    plan = compiled(HEAD + indent(text, "").replace("\n    ", "\n"))
    job = plan.stages[0].jobs[0]
    assert [each.name for each in plan.variables] == ["a", "k", "l"]
    assert job.pool is not None
    assert job.pool.vm_image == "y"
    assert scripts(plan) == ["1v"]
    assert {name: str(text) for name, text in job.steps[1].env.items()} == {"k": "v", "l": "w"}
