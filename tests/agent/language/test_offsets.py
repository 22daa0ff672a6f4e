from __future__ import annotations

from collections.abc import Callable

import pytest

Problems = Callable[..., list[str]]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("steps:\n- script: echo ${{ nope }}\n", "a.yml:2:20"),
        ("steps:\n- script: 'echo ${{ nope }}'\n", "a.yml:2:21"),
        ("steps:\n- script: a ${{ eq(1, nope) }}\n", "a.yml:2:23"),
        ("steps:\n- script: |\n    echo 1\n\n    echo ${{ nope }}\n", "a.yml:5:14"),
        ("steps:\n- script: |\n    echo 1\n      echo ${{ nope }}\n", "a.yml:4:16"),
        ("steps:\n- ${{ if nope }}:\n  - script: a\n", "a.yml:2:10"),
        ("steps:\n- ${{ each x in nope }}:\n  - script: a\n", "a.yml:2:17"),
        ("steps:\n- script: a\n  condition: eq(1, nope)\n", "a.yml:3:20"),
        ("variables:\n  a: $[ nope ]\nsteps:\n- script: a\n", "a.yml:2:9"),
        # folded and escaped texts are not followed
        ("steps:\n- script: >\n    echo 1\n    echo ${{ nope }}\n", "a.yml:2:11"),
        ('steps:\n- script: "a\\t${{ nope }}"\n', "a.yml:2:11"),
    ],
)
def test_the_place_of_a_problem_is_inside_the_expression(problems: Problems, text: str, place: str) -> None:
    (found,) = problems(text)
    assert found.startswith(f"{place}: Unrecognized")
