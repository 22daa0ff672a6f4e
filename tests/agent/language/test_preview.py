from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import PipelineError
from sluice.language.compiler import compile_pipeline, preview_pipeline
from sluice.language.loader import load
from sluice.language.plan import Plan
from sluice.language.preview import format_tree
from sluice.language.problems import Problems
from sluice.language.reader import plain
from sluice.language.tree import Mapping as MappingNode
from sluice.language.tree import Node, Scalar, Sequence, Source

SOURCE = Source("a.yml")
TREES = st.recursive(
    st.text(max_size=12) | st.text(alphabet="a \n:-#'\"${}|>%@&*!?,[]", max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=15,
)


def node_of(value: Any) -> Node:
    if isinstance(value, dict):
        pairs = [(Scalar(key, 1, 1, SOURCE), node_of(each)) for key, each in value.items()]
        return MappingNode(pairs, 1, 1, SOURCE)
    if isinstance(value, list):
        return Sequence([node_of(each) for each in value], 1, 1, SOURCE)
    return Scalar(value, 1, 1, SOURCE)


@settings(max_examples=400, deadline=None)
@given(TREES.filter(lambda tree: isinstance(tree, dict)))
def test_a_tree_comes_back_from_its_text(tree: dict[str, Any]) -> None:
    if "${{" in repr(tree):
        return  # such a text comes back from expansion only
    text = format_tree(node_of(tree))
    problems = Problems()
    loaded = load(SOURCE, text, problems)
    problems.raise_if_any()
    assert (plain(loaded) if loaded is not None else {}) == tree


def without_places(plan: Plan) -> str:
    """The plan as text, its places and what they lead to left out."""
    bare = replace(plan, files=(), extends=(), extended=(), parameters={}, notes=())
    return re.sub(r"Location\([^)]*\)", "", repr(bare))


def test_the_preview_of_every_case_compiles_to_the_same_plan(pipeline_case: Mapping[str, Any], case_files: Any) -> None:
    options: dict[str, Any] = {
        "files": case_files,
        "parameters": pipeline_case.get("parameters"),
        "predefined": pipeline_case.get("given", {}).get("variables"),
    }
    if pipeline_case["expect"].get("error"):
        with pytest.raises(PipelineError):
            preview_pipeline("azure-pipelines.yml", pipeline_case["yaml"], **options)
        return
    plan = compile_pipeline("azure-pipelines.yml", pipeline_case["yaml"], **options)
    text = preview_pipeline("azure-pipelines.yml", pipeline_case["yaml"], **options)
    again = compile_pipeline("azure-pipelines.yml", text)
    assert without_places(again) == without_places(plan)
    assert preview_pipeline("azure-pipelines.yml", text) == text


def test_a_preview_reads_well(compiled: Callable[..., Plan]) -> None:
    text = preview_pipeline(
        "a.yml",
        "parameters: [{name: p, default: x}]\nvariables: {a: '${{ parameters.p }}', b: 'true', c: '1.10'}\n"
        "steps:\n- script: |\n    echo 1\n\n      echo 2\n  displayName: 'it''s: me'\n  env: {}\n",
    )
    assert text == (
        "variables:\n  a: x\n  b: 'true'\n  c: '1.10'\nsteps:\n- script: |\n    echo 1\n\n      echo 2\n"
        "  displayName: 'it''s: me'\n  env: {}\n"
    )
    assert yaml.safe_load(text)["variables"]["c"] == "1.10"


def test_an_expression_that_is_text_stays_text() -> None:
    text = preview_pipeline("a.yml", "steps:\n- script: ${{ 'a${{b''c' }}\n")
    plan = compile_pipeline("a.yml", text)
    assert plan.stages[0].jobs[0].steps[1].inputs["script"].value == "a${{b'c"
