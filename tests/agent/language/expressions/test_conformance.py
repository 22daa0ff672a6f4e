"""Every case of the conformance files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml

from sluice.language.expressions import (
    Context,
    DateTime,
    DependencyStatus,
    ExpressionError,
    Object,
    Phase,
    StepStatus,
    Value,
    evaluate,
    evaluate_condition,
    parse,
    to_string,
)

FOLDER = Path(__file__).parents[3] / "conformance"
CASES: list[dict[str, Any]] = yaml.load((FOLDER / "expressions.yaml").read_text(), Loader=yaml.CSafeLoader)["cases"]
AGENT_CASES: list[dict[str, Any]] = json.loads((FOLDER / "agent-conditions.json").read_text())["cases"]
SCOPES = {"stage": Phase.STAGE_CONDITION, "job": Phase.CONDITION}


def text_of(case: Mapping[str, Any]) -> str:
    repeat = case.get("expr_repeat")
    if repeat is None:
        return str(case["expr"])
    return str(repeat["prefix"]) + str(repeat["text"]) * int(repeat["times"]) + str(repeat["suffix"])


def context_of(case: Mapping[str, Any]) -> Context:
    given: dict[str, Any] = case.get("context", {})
    names: dict[str, Value] = {
        name: Object(given[name])
        for name in ("parameters", "variables", "dependencies", "stageDependencies")
        if name in given
    }
    if "pipeline" in given:
        names["pipeline"] = Object({"startTime": DateTime(datetime.fromisoformat(given["pipeline"]["startTime"]))})
    used: dict[str, int] = given.get("counters", {})

    def counter(prefix: str, seed: int) -> int:
        return used[prefix] + 1 if prefix in used else seed

    status: StepStatus | DependencyStatus | None = None
    if case["phase"] == "condition":
        scope = given.get("scope", "job")
        results = {name: entry["result"] for name, entry in given.get("dependencies", {}).items()}
        status = (
            StepStatus(given["jobStatus"])
            if scope == "step"
            else DependencyStatus(results=results, canceled=given.get("canceled", False), phase=SCOPES[scope])
        )
    return Context(names=names, counter=counter, status=status)


def result_of(case: Mapping[str, Any]) -> Value:
    text, context = text_of(case), context_of(case)
    if case["phase"] == "condition":
        return evaluate_condition(text, context)
    return evaluate(parse(text, phase=Phase(case["phase"])), context)


def plain(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return Decimal(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else value


@pytest.mark.parametrize("case", [pytest.param(case, id=case["id"]) for case in CASES])
def test_a_conformance_case_holds(case: dict[str, Any]) -> None:
    if case.get("error"):
        with pytest.raises(ExpressionError) as caught:
            result_of(case)
        assert text_of(case)[:100] in str(caught.value)
        return
    result = result_of(case)
    if case.get("as") == "string":
        result = to_string(result)
    expected = plain(case["expect"])
    assert (type(plain(result)), plain(result)) == (type(expected), expected)


@pytest.mark.parametrize("case", AGENT_CASES)
def test_a_condition_of_the_agent_holds(case: dict[str, Any]) -> None:
    context = Context(status=StepStatus(case["job_status"]))
    assert evaluate_condition(case["condition"], context) is case["expected"]
