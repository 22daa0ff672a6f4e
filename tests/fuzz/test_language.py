"""Fuzzing of the language: whatever comes in, the answer is a result or one of our errors, soon.

The tests are short; to go on for as long as you like, with what was found before tried first:

    SLUICE_FUZZ_EXAMPLES=200000 python -m pytest tests/fuzz -q
"""

from __future__ import annotations

import os
import re
import string
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.errors import SluiceError
from sluice.language.compiler import compile_pipeline, preview_pipeline
from sluice.language.expressions import (
    Context,
    DependencyStatus,
    ExpressionError,
    Object,
    Phase,
    StepStatus,
    Value,
    evaluate,
    parse,
    to_boolean,
    to_text,
)
from sluice.language.plan_json import decode, encode
from sluice.secret import Secret

if TYPE_CHECKING:
    from collections.abc import Sequence

EXAMPLES = int(os.environ.get("SLUICE_FUZZ_EXAMPLES", "60"))
LONGEST_SECONDS = 2.0
"""The bound on bad input that the project promises."""

fuzzed = settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)

FUNCTIONS = re.findall(
    r"\w+",
    "and or not xor eq ne lt le gt ge in notIn contains containsValue startsWith endsWith coalesce format join split "
    "replace length lower upper trim iif convertToJson counter succeeded failed always canceled succeededOrFailed",
)
NAMES = ("variables", "parameters", "dependencies", "stageDependencies", "pipeline", "nothing", "each")
ATOMS = (
    "true",
    "False",
    "null",
    "1",
    "-0.5",
    "1.2.3",
    "1.2.3.4",
    "'it''s'",
    "''",
    "'{0}{1}'",
    "'{0'",
    "0x1F",
    "*",
    "''''",
)

WORDS = re.findall(
    r"\w+",
    "stages jobs steps stage job deployment script bash task template extends parameters variables resources pool name "
    "value group condition dependsOn strategy matrix parallel maxParallel environment runOnce rolling canary deploy on "
    "failure increments inputs env displayName trigger pr schedules cron repositories repository endpoint container "
    "services default type values readonly none self checkout download",
)
SCALARS = (
    *("a", "true", "'x'", '"y"', "1", "", "~", "[]", "{}", "$(a)", "$[ variables.a ]", "$[ counter('a', 1) ]"),
    *(
        "${{ parameters.a }}",
        "${{ variables.a }}",
        "${{ if true }}",
        "CmdLine@2",
        "x@1",
        "|\n  echo",
        "&x 1",
        "*x",
        "!!set {}",
    ),
)
KEYS = (
    *("${{ if eq(1, 1) }}", "${{ else }}", "${{ elseif false }}", "${{ each x in parameters.a }}", "${{ insert }}"),
    *("${{ parameters.a }}", "${{ variables['a'] }}", "${{ format('{0}', 'b') }}", "? a", "<<"),
)

texts = st.text(st.characters(blacklist_categories=["Cs"]), max_size=40)
leaves = st.one_of(
    st.sampled_from(ATOMS), st.sampled_from(NAMES), texts.map(lambda text: "'" + text.replace("'", "''") + "'")
)


def _calls(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    called = st.builds(
        lambda name, arguments: f"{name}({', '.join(arguments)})",
        st.sampled_from(FUNCTIONS),
        st.lists(inner, max_size=4),
    )
    indexed = st.builds(lambda target, key: f"{target}[{key}]", st.sampled_from(NAMES), inner)
    dotted = st.builds(lambda target, key: f"{target}.{key}", inner, st.sampled_from(["a", "b-c", "*", "Length", "_"]))
    return st.one_of(called, indexed, dotted)


expressions = st.recursive(leaves, _calls, max_leaves=25)
VALUES: Sequence[Value] = (None, True, "text", "1.5", Secret("guarded-value"), ["a", 1, None], Object({"b": "x"}))


def context(phase: Phase) -> Context:
    names: dict[str, Value] = {name: Object(zip("abcdefg", VALUES, strict=False)) for name in NAMES[:-2]}
    status = StepStatus() if phase is Phase.STEP_CONDITION else DependencyStatus(results={"a": "Failed"}, phase=phase)
    return Context(names=names, counter=lambda _, seed: seed, status=status)


@pytest.fixture(scope="module", autouse=True)
def room() -> None:
    """The compiler raises the limit of recursion once; Hypothesis takes what it finds at its own start for normal."""
    compile_pipeline("azure-pipelines.yml", "steps: [{script: x}]")


def check_expression(text: str) -> None:
    start = time.monotonic()
    for phase in Phase:
        said = "a value"
        try:
            expression = parse(text, phase=phase)
            value = evaluate(expression, context(phase))
            to_boolean(value)
            to_text(value)
        except ExpressionError as error:
            said = str(error)
        assert said
        assert "guarded-value" not in said
    assert time.monotonic() - start < LONGEST_SECONDS


@fuzzed
@given(expressions)
def test_an_expression_of_the_grammar_has_a_value_or_an_error(text: str) -> None:
    check_expression(text)


@fuzzed
@given(st.one_of(texts, st.text(string.punctuation + "abc'0. ", max_size=60)))
def test_any_text_as_an_expression_has_a_value_or_an_error(text: str) -> None:
    check_expression(text)


@fuzzed
@given(expressions, st.data())
def test_an_expression_with_a_piece_cut_out_has_a_value_or_an_error(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    check_expression(text[:start] + text[start + data.draw(st.integers(0, 5)) :])


def _blocks(inner: st.SearchStrategy[list[str]]) -> st.SearchStrategy[list[str]]:
    keys = st.one_of(st.sampled_from(WORDS), st.sampled_from(KEYS))
    under_key = st.builds(lambda key, lines: [f"{key}:", *(f"  {line}" for line in lines)], keys, inner)
    item = inner.map(lambda lines: [f"- {lines[0]}", *(f"  {line}" for line in lines[1:])])
    together = st.builds(lambda first, second: [*first, *second], inner, inner)
    return st.one_of(under_key, item, together)


_pairs = st.builds(lambda key, value: [f"{key}: {value}"], st.sampled_from((*WORDS, *KEYS)), st.sampled_from(SCALARS))
pipelines = st.recursive(_pairs, _blocks, max_leaves=20).map("\n".join)
_WHOLE = (
    "parameters: [{name: a, type: object, default: [1, 2]}]\nvariables: {a: b}\nstages:\n- stage: S\n  jobs:\n"
    "  - ${{ each x in parameters.a }}:\n    - job: J${{ x }}\n      strategy: {matrix: {L: {v: w}}}\n      steps:\n"
    "      - ${{ if eq(x, 1) }}:\n        - script: echo $(v)\n      - task: CmdLine@2\n        inputs: {script: x}\n"
)


def check_pipeline(text: str | bytes) -> None:
    start = time.monotonic()
    said = "a plan"
    try:
        plan = compile_pipeline("azure-pipelines.yml", text)
        assert decode(encode(plan)) == plan
        preview_pipeline("azure-pipelines.yml", text)
    except SluiceError as error:
        said = str(error)
    assert said
    assert time.monotonic() - start < LONGEST_SECONDS


@fuzzed
@given(pipelines)
def test_a_pipeline_of_known_words_compiles_or_is_refused(text: str) -> None:
    check_pipeline(text)


@fuzzed
@given(st.data())
def test_a_pipeline_that_was_changed_somewhere_compiles_or_is_refused(data: st.DataObject) -> None:
    text = _WHOLE
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text)))
        new = data.draw(
            st.one_of(st.sampled_from([*WORDS, *SCALARS, *KEYS, "\n", "\t", ": ", "- ", "{", "}", "]"]), texts)
        )
        text = text[:at] + new + text[at + data.draw(st.integers(0, 12)) :]
    check_pipeline(text)


@fuzzed
@given(st.binary(max_size=300))
def test_any_bytes_compile_or_are_refused(raw: bytes) -> None:
    check_pipeline(raw)
