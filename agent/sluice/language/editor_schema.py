"""The JSON schema of pipelines for editors, made from the shapes that the compiler checks against."""

from __future__ import annotations

from typing import Any

from sluice.language.schema import (
    DEPLOYMENT,
    JOB,
    PIPELINE,
    SHAPES,
    STEP_KINDS,
    TEMPLATE,
    VARIABLE,
    VARIABLE_GROUP,
)
from sluice.language.shapes import Key, Kind, Shape

_Json = dict[str, Any]
_TEXT: _Json = {"type": ["string", "number", "boolean", "null"]}
_EXPRESSION: _Json = {"type": "string", "pattern": r"\$\{\{|\$\(|\$\["}
_DIRECTIVE_KEY = r"^\$\{\{"
_FREE_MAPPINGS = frozenset({"variable", "parameter"})
_CHOICES: dict[str, tuple[Shape, ...]] = {
    "step": (*(kind.shape for kind in STEP_KINDS.values()), TEMPLATE),
    "job": (JOB, DEPLOYMENT, TEMPLATE),
    "stage": (SHAPES["stage"], TEMPLATE),
    "variable": (VARIABLE, VARIABLE_GROUP, TEMPLATE),
}


def editor_schema() -> _Json:
    """A JSON schema (draft 7) that accepts every pipeline and template the compiler accepts, and little else."""
    names = sorted({*SHAPES, *_CHOICES})
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Azure Pipelines, as Sluice runs them",
        **_object(PIPELINE),
        "definitions": {_identifier(name): _definition(name) for name in names},
    }


def _identifier(name: str) -> str:
    return name.replace(" ", "-")


def _definition(name: str) -> _Json:
    shapes = _CHOICES.get(name)
    return {"anyOf": [_object(shape) for shape in shapes]} if shapes is not None else _object(SHAPES[name])


def _object(shape: Shape) -> _Json:
    """An object; keys that are expressions may stand anywhere, and what they hold is not known to an editor."""
    found: _Json = {
        "type": "object",
        "description": shape.what,
        "properties": {name: _value(key) for name, key in shape.keys.items()},
        "patternProperties": {_DIRECTIVE_KEY: {}},
        "additionalProperties": shape.open,
    }
    first = next(iter(shape.keys))
    choices = {each for shapes in _CHOICES.values() for each in map(id, shapes)}
    if id(shape) in choices:
        # an item is told from others by its first key
        found["anyOf"] = [{"required": [first]}, {"minProperties": 1, "propertyNames": {"pattern": _DIRECTIVE_KEY}}]
    return found


def _value(key: Key) -> _Json:
    options = [_option(key, part) for part in _PARTS[key.kind]]
    if key.kind is not Kind.ANY:
        options.append(_EXPRESSION)
    return options[0] if len(options) == 1 else {"anyOf": options}


_PARTS: dict[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("text",),
    Kind.BOOLEAN: ("boolean",),
    Kind.NUMBER: ("number",),
    Kind.TEXTS: ("text", "list"),
    Kind.LIST: ("list",),
    Kind.MAPPING: ("mapping",),
    Kind.TEXT_OR_MAPPING: ("text", "mapping"),
    Kind.LIST_OR_MAPPING: ("list", "mapping"),
    Kind.TEXT_OR_LIST_OR_MAPPING: ("text", "list", "mapping"),
    Kind.ANY: ("any",),
}


def _option(key: Key, part: str) -> _Json:
    if part == "text":
        return {"enum": list(key.values)} if key.values else _TEXT
    if part == "boolean":
        return {"enum": [True, False, *("true", "false", "yes", "no", "on", "off", "y", "n", "True", "False")]}
    if part == "number":
        return {"type": "integer"}
    if part == "list":
        is_of_items = key.kind is Kind.LIST or key.of in _FREE_MAPPINGS
        return {"type": ["array", "null"], "items": _reference(key.of) if key.of and is_of_items else {}}
    if part == "mapping":
        return _reference(key.of) if key.of and key.of not in _FREE_MAPPINGS else {"type": ["object", "null"]}
    return {}


def _reference(name: str) -> _Json:
    """An item or object of that shape; among items stand texts that are expressions."""
    return {"anyOf": [{"$ref": f"#/definitions/{_identifier(name)}"}, _EXPRESSION, _DIRECTIVES]}


_DIRECTIVES: _Json = {"type": "object", "minProperties": 1, "propertyNames": {"pattern": _DIRECTIVE_KEY}}
