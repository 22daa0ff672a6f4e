from __future__ import annotations

import pytest

from sluice.language.expressions import ExpressionError, Value
from sluice.language.success_criteria import holds, problem

ANSWER: Value = {"status": "Successful", "count": 3, "items": [{"ok": True}, {"ok": False}], "none": None, "part": 0.5}


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ("eq(root['status'], 'successful')", True),
        ("eq(root.status, 'failed')", False),
        ("and(gt(root['count'], 2), eq(root['items'][0]['ok'], true))", True),
        ("eq(length(root['items']), 2)", True),
        ("eq(root['part'], 0.5)", True),
        ("root['none']", False),
        ("root['missing']['deeper']", False),
        ("ROOT['STATUS']", True),
    ],
)
def test_criteria_are_expressions_over_root(criteria: str, expected: bool) -> None:
    assert problem(criteria) == ""
    assert holds(criteria, ANSWER) is expected


@pytest.mark.parametrize("criteria", ["eq(root['a'],", "variables['a']", "always()", "counter('a', 1)", "", "nope(1)"])
def test_what_is_no_expression_over_root_is_a_problem(criteria: str) -> None:
    assert problem(criteria)
    with pytest.raises(ExpressionError):
        holds(criteria, ANSWER)


def test_an_answer_that_is_a_list_is_root_too() -> None:
    assert holds("eq(root[1], 'b')", ["a", "b"])
