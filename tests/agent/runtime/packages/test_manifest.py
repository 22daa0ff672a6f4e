"""`task.json` as packages in the field write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.errors import UsageError
from sluice.runtime.packages.installed import definition_of
from sluice.runtime.packages.manifest import parse_manifest, read_manifest
from sluice.runtime.packages.tolerant_json import MAX_BYTES, parse_json
from sluice.runtime.request import Execution

if TYPE_CHECKING:
    from tests.agent.runtime.packages.conftest import Packages


def _parse(text: str | bytes) -> Any:
    raw = text.encode() if isinstance(text, str) else text
    return parse_json(raw, where="here", what="file")


@pytest.mark.parametrize(
    "text",
    [
        '{"a": "x // no /* comment */ ,]"}',
        '\ufeff{"a": "x // no /* comment */ ,]"}',
        '// first\n{"a": /* in */ "x // no /* comment */ ,]", }  // last',
        '{"a": "x // no /* comment */ ,]"\n,\n/* x */\n}',
        '{"a": "x // no /* comment */ ,]"}'.encode("utf-16"),
    ],
)
def test_a_mark_comments_and_trailing_commas_are_taken(text: str | bytes) -> None:
    assert _parse(text) == {"a": "x // no /* comment */ ,]"}


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[1]", "no JSON object"),
        ('{"a": }', "here:1:7"),
        (b'{"a": "\xff"}', "not UTF-8"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("{" + "/*" * 500_000, "here:"),
        ('{"' + '\\"' * 500_000, "here:"),
        (b" " * (MAX_BYTES + 1), "too big"),
        ('{"a": ' + "9" * 5000 + "}", "here"),
    ],
)
def test_what_is_none_is_told_in_no_time(text: str | bytes, why: str) -> None:
    with pytest.raises(UsageError) as raised:
        _parse(text)
    assert why in str(raised.value)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda one: st.lists(one) | st.dictionaries(st.text(), one),
    )
)
def test_plain_json_is_read_as_it_is(value: Any) -> None:
    assert _parse(json.dumps({"a": value})) == {"a": value}
    commented = json.dumps({"a": value}, indent=1).replace("\n", "/* , */\n").rstrip("}") + ",}"
    assert _parse(commented) == {"a": value}


def test_a_manifest_is_read_whatever_the_case_of_its_keys(packages: Packages) -> None:
    folder = packages.write(
        Inputs=[
            {"NAME": "one", "Type": "filePath", "defaultValue": True, "required": "true", "aliases": ["uno"]},
            {"name": "two", "options": {"a": "A", "b": "B"}, "properties": {"MultiSelect": "True"}, "defaultValue": 5},
            {"label": "nameless"},
        ],
        preJobExecution={"Node": {"target": "pre.js"}},
        execution={"node20_1": {"Target": "main.js", "argumentFormat": "x", "Platforms": ["Windows"]}},
        restrictions={"commands": {"mode": "Restricted"}, "settableVariables": {"allowed": ["a*"]}},
        Version={"Major": "2", "minor": 3},
        outputVariables=[{"name": "out"}],
    )
    manifest = read_manifest(folder)
    one, two = manifest.inputs
    assert (one.name, one.type, one.default, one.required, one.aliases) == ("one", "filePath", "true", True, ("uno",))
    assert (two.type, two.options, two.default) == ("string", ("a", "b"), "5")
    assert manifest.multiple == ("two",)
    assert manifest.version == (2, 3, 0)
    assert list(manifest.executions) == [Execution.PRE, Execution.MAIN]
    handler = manifest.executions[Execution.MAIN][0]
    assert (handler.kind, handler.target, handler.platforms, handler.properties["argumentformat"]) == (
        "node20_1",
        "main.js",
        ("Windows",),
        "x",
    )
    assert (manifest.restricted, manifest.settable, manifest.outputs) == (True, ("a*",), ("out",))
    definition = definition_of(manifest)
    assert (definition.reference, definition.package) == ("Probe@2", f"{manifest.id}@2.3.0")
    assert definition.executions == ("pre", "main")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"id": "../../x"}, "'id' is not a GUID"),
        ({"name": "a/b"}, "'name' may hold"),
        ({"name": ""}, "'name' may hold"),
        ({"name": "a" * 200}, "'name' may hold"),
        ({"version": "1.2.3"}, "'version' has to hold"),
        ({"version": {"Major": "../1"}}, "'version' has to hold"),
        ({"version": {"Major": 10**12}}, "'version' has to hold"),
        ({"inputs": [{}] * 3000}, "at most 2000"),
        ({"execution": {f"k{index}": {} for index in range(60)}}, "at most 50"),
    ],
)
def test_a_manifest_that_is_wrong_says_where(packages: Packages, change: dict[str, Any], why: str) -> None:
    folder = packages.write()
    (folder / "task.json").write_text(json.dumps(packages.manifest() | change))
    with pytest.raises(UsageError, match=r"task\.json") as raised:
        read_manifest(folder)
    assert why in str(raised.value)


def test_a_folder_without_a_manifest_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_manifest(tmp_path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda one: st.lists(one, max_size=3) | st.dictionaries(st.text(max_size=5), one, max_size=3),
    max_leaves=5,
)
KEYS = ("inputs", "execution", "restrictions", "outputVariables", "version", "runsOn", "deprecated", "demands", "name")


@given(st.dictionaries(st.sampled_from(KEYS), JSON))
def test_values_of_any_shape_are_read_or_refused(values: dict[str, Any]) -> None:
    try:
        definition_of(parse_manifest({"id": "5f1f7c3e-0000-4000-8000-000000000001", "name": "A"} | values, where="x"))
    except UsageError:
        return
