from __future__ import annotations

from collections.abc import Callable

import pytest

from sluice.errors import StorageError
from sluice.language.plan import Plan
from sluice.language.plan_json import decode, encode


def test_a_plan_comes_back_unchanged(compiled: Callable[..., Plan]) -> None:
    plan = compiled("""
        name: $(Date:yyyy)
        trigger: {branches: [main]}
        parameters: [{name: p, type: boolean, default: true}, {name: o, type: object, default: {a: [b]}}]
        resources:
          repositories: [{repository: r, type: github, name: a/b, endpoint: gh}]
          containers: [{container: c, image: i, env: {A: b}, mountReadOnly: {work: true}}]
          pipelines: [{pipeline: u, tags: [x]}]
        variables: [{name: a, value: 1, readonly: true}, {group: g}]
        stages:
        - stage: S
          jobs:
          - job: J
            container: {image: x}
            pool: {name: lab, demands: [gpu]}
            strategy: {matrix: {x: {v: 1}}, maxParallel: 2}
            steps:
            - {script: ä, name: n, condition: always(), target: {container: c, settableVariables: none}, env: {A: b}}
          - job: K
            container: c
            strategy: {matrix: '$[ variables.m ]'}
            steps: [{script: x}]
          - deployment: D
            environment: {name: e, tags: [t]}
            strategy: {canary: {increments: [10], deploy: {steps: [{script: x}]}}}
        """)
    assert decode(encode(plan)) == plan
    assert encode(decode(encode(plan))) == encode(plan)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"version": 1, "plan": {}}', '{"version": 1, "plan": {"stages": 3}}']
)
def test_what_is_no_plan_is_refused(text: str) -> None:
    with pytest.raises(StorageError):
        decode(text)


def test_a_plan_of_another_version_is_refused() -> None:
    with pytest.raises(StorageError, match="version 99"):
        decode('{"version": 99, "plan": {}}')
