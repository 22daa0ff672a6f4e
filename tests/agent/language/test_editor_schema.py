from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import yaml

from sluice.language.editor_schema import editor_schema
from sluice.language.schema import PIPELINE, SHAPES, STEP_KINDS

SCHEMA = editor_schema()


def accepts(schema: Mapping[str, Any], value: object) -> bool:
    """As much of a validator as the schema needs."""
    return all(_KEYWORDS[word](schema, value) for word in schema if word in _KEYWORDS)


def _is(kind: str, value: object) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    kinds = {"string": str, "integer": int, "number": (int, float), "null": type(None), "array": list, "object": dict}
    return kind in kinds and isinstance(value, kinds[kind])  # type: ignore[arg-type]


def _type(schema: Mapping[str, Any], value: object) -> bool:
    kinds = schema["type"]
    return any(_is(kind, value) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _properties(schema: Mapping[str, Any], value: object) -> bool:
    if not isinstance(value, dict):
        return True
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for name, each in value.items():
        matching = [found for pattern, found in patterns.items() if re.search(pattern, name)]
        if name in known:
            matching.append(known[name])
        if not matching and not schema.get("additionalProperties", True):
            return False
        if not all(accepts(found, each) for found in matching):
            return False
    return True


_KEYWORDS: dict[str, Callable[[Mapping[str, Any], Any], bool]] = {
    "type": _type,
    "enum": lambda schema, value: value in schema["enum"],
    "pattern": lambda schema, value: not isinstance(value, str) or re.search(schema["pattern"], value) is not None,
    "anyOf": lambda schema, value: any(accepts(each, value) for each in schema["anyOf"]),
    "required": lambda schema, value: not isinstance(value, dict) or set(schema["required"]) <= set(value),
    "minProperties": lambda schema, value: not isinstance(value, dict) or len(value) >= schema["minProperties"],
    "propertyNames": lambda schema, value: (
        not isinstance(value, dict) or all(accepts(schema["propertyNames"], name) for name in value)
    ),
    "items": lambda schema, value: not isinstance(value, list) or all(accepts(schema["items"], each) for each in value),
    "properties": _properties,
    "$ref": lambda schema, value: accepts(SCHEMA["definitions"][schema["$ref"].rpartition("/")[2]], value),
}


def references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (each for name, each in value.items() if name == "$ref")
        yield from (found for each in value.values() for found in references(each))
    elif isinstance(value, list):
        yield from (found for each in value for found in references(each))


def test_the_schema_names_every_key_and_every_reference_leads_somewhere() -> None:
    json.dumps(SCHEMA)
    assert set(SCHEMA["properties"]) == set(PIPELINE.keys)
    assert {each.rpartition("/")[2] for each in references(SCHEMA)} <= set(SCHEMA["definitions"])
    assert len(SCHEMA["definitions"]["step"]["anyOf"]) == len(STEP_KINDS) + 1
    assert set(SCHEMA["definitions"]["pool"]["properties"]) == set(SHAPES["pool"].keys)


def test_every_case_that_compiles_is_accepted(pipeline_case: Mapping[str, Any]) -> None:
    if pipeline_case["expect"].get("error"):
        return
    for text in (pipeline_case["yaml"], *pipeline_case.get("files", {}).values()):
        tree = yaml.load(text, yaml.BaseLoader)
        assert accepts(SCHEMA, _typed(tree))


def _typed(value: object) -> object:
    """As an editor's YAML reader types it: whole numbers are numbers."""
    if isinstance(value, dict):
        return {name: _typed(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_typed(each) for each in value]
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() else value


@pytest.mark.parametrize(
    "text",
    [
        "steps: [{scrip: a}]",
        "steps: [{script: a, displayNam: b}]",
        "step: []",
        "jobs: [{job: a, pol: b}]",
        "stages: [{stage: a, steps: []}]",
        "steps: [{script: a, enabled: maybe}]",
        "lockBehavior: first",
        "trigger: {branchs: [a]}",
    ],
)
def test_what_the_compiler_refuses_is_refused(text: str) -> None:
    assert not accepts(SCHEMA, yaml.load(text, yaml.BaseLoader))
