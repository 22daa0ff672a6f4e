from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.errors import PipelineError
from sluice.language.loader import MAX_BYTES, load
from sluice.language.problems import Problems
from sluice.language.tree import Mapping, Scalar, Sequence, Source


def tree_of(content: str | bytes) -> object:
    problems = Problems()
    node = load(Source("a.yml"), content, problems)
    problems.raise_if_any()
    return node


def refusal(content: str | bytes) -> str:
    with pytest.raises(PipelineError) as refused:
        tree_of(content)
    return str(refused.value)


def test_every_node_knows_its_line_and_column() -> None:
    node = tree_of("a: 1\nb:\n  - x\n  - c: 'd'\n")
    assert isinstance(node, Mapping)
    sequence = node.get("b")
    assert isinstance(sequence, Sequence)
    inner = sequence.items[1]
    assert isinstance(inner, Mapping)
    assert str(inner.pairs[0][1].where) == "a.yml:4:8"


def test_scalars_stay_text() -> None:
    node = tree_of("[1.10, yes, 0x1F, 2020-01-01, '']")
    assert isinstance(node, Sequence)
    assert [item.value for item in node.items if isinstance(item, Scalar)] == ["1.10", "yes", "0x1F", "2020-01-01", ""]


def test_null_is_empty_unless_it_is_quoted() -> None:
    node = tree_of("[null, ~, 'null']")
    assert isinstance(node, Sequence)
    assert [item.value for item in node.items if isinstance(item, Scalar)] == ["", "", "null"]


def test_only_what_holds_an_expression_or_an_inclusion_is_dynamic() -> None:
    node = tree_of("a: {x: 1}\nb: [{y: '${{ z }}'}]\nc: [{template: t.yml}]\n")
    assert isinstance(node, Mapping)
    assert {key.value: value.dynamic for key, value in node.pairs} == {"a": False, "b": True, "c": True}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: &x 1\n", "a.yml:1:4: YAML anchors (&x) are not supported"),
        ("a: 1\nb: *x\n", "a.yml:2:4: YAML aliases (*x) are not supported"),
        ("a: 1\na: 2\n", "a.yml:2:1: the key 'a' occurs twice (first in line 1)"),
        ("a: !!set {b}\n", "a.yml:1:4: the YAML tag 'tag:yaml.org,2002:set' is not supported"),
        ("? [a]\n: b\n", "a.yml:1:3: a key has to be a text"),
        ("a: 1\n---\nb: 2\n", "a.yml:2:1: a file holds one YAML document"),
        ("a:\n\t- b\n", "indent with spaces"),
        ("a: @b\n", "a.yml:1:4: not valid YAML"),
        (b"a: 1\nb: \xff\n", "a.yml:2:4: the file is not valid UTF-8"),
        ("a: 1\nb: \ud800\n", "a.yml:2:4: the file is not valid UTF-8"),
        ("a: \x01\n", "a.yml:1:4: the file holds a character that YAML does not allow"),
        ("[" * 150 + "]" * 150, "nested deeper than 100 levels"),
        ("[" * 100_000, "not valid YAML: exceeded maximum nesting depth"),
        ("x" * (MAX_BYTES + 1), "the file is larger than 20 MB"),
    ],
)
def test_what_the_service_refuses_is_refused_at_its_place(content: str | bytes, message: str) -> None:
    assert message in refusal(content)


def test_all_mistakes_beside_one_another_are_told() -> None:
    assert len(refusal("a: &x 1\nb: *x\nb: 2\nc: !foo 1\n").splitlines()) == 4


def test_directives_may_stand_side_by_side() -> None:
    tree_of("${{ if a }}: {}\n${{ else }}: {}\n${{ if a }}: {x: 1}\n${{ else }}: {}\n")


def test_a_byte_order_mark_is_ignored() -> None:
    node = tree_of(b"\xef\xbb\xbfa: b")
    assert isinstance(node, Mapping)
    assert node.get("a") is not None


def test_an_empty_file_has_no_tree() -> None:
    assert tree_of("# nothing\n") is None


def test_a_file_of_countless_values_is_refused_in_time() -> None:
    start = time.monotonic()
    assert "values in one file" in refusal("[" + "a," * 2_000_000 + "]")
    assert time.monotonic() - start < 10


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ab:-[]{},&*!?|>'\"#%@`~ \n\t\\${}\ud800\x00é", max_size=60) | st.binary(max_size=40))
def test_no_content_raises_anything_else(content: str | bytes) -> None:
    try:
        tree_of(content)
    except PipelineError as error:
        assert error.problems  # noqa: PT017  # any other exception fails the test
