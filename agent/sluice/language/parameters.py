"""Parameters of pipelines and templates: how they are declared, and how values are bound to them."""

from __future__ import annotations

from collections.abc import Mapping as Dict
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.language.canonical import canonical
from sluice.language.expressions import as_number
from sluice.language.expressions.values import Object
from sluice.language.loader import load
from sluice.language.problems import did_you_mean
from sluice.language.schema import PARAMETER
from sluice.language.tree import Mapping, Scalar, Sequence, Source, children, is_empty, kind_of
from sluice.language.values import mapping_of, sequence_of, value_of
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.language.expressions import Value
    from sluice.language.problems import Problems
    from sluice.language.reader import Reader
    from sluice.language.tree import Node

_CANONICAL = frozenset({"step", "stepList", "job", "jobList", "deployment", "deploymentList", "stage", "stageList"})
_STRUCTURES = _CANONICAL | {"object", "legacyObject", "containerList", "container"}
_LISTS = frozenset({"stringList", "containerList", "stepList", "jobList", "deploymentList", "stageList"})
_WITH_VALUES = frozenset({"string", "number", "stringList"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A declared parameter; `default` is None when a value has to be given."""

    name: str
    type: str
    default: Node | None
    values: tuple[str, ...]
    node: Node


@dataclass(frozen=True, slots=True)
class Declared:
    """The parameters of a file; `anything` accepts others as well: the old mapping form, or none declared at all."""

    parameters: tuple[Parameter, ...] = ()
    anything: bool = False
    legacy_form: bool = False

    def of_entry(self, webhooks: tuple[Parameter, ...]) -> Declared:
        """As an entry file has them: nothing else may be given, and the first of `values` is the default."""
        parameters = tuple(_with_first_value(each) for each in self.parameters)
        return Declared((*parameters, *webhooks), legacy_form=self.legacy_form)


def _with_first_value(parameter: Parameter) -> Parameter:
    if parameter.default is not None or not parameter.values or parameter.type == "stringList":
        return parameter
    node = parameter.node
    return replace(parameter, default=Scalar(parameter.values[0], node.line, node.column, node.source))


def read_declared(reader: Reader, node: Node | None) -> Declared:
    """The `parameters` of a file."""
    if node is None or is_empty(node):
        return Declared(anything=True)
    if type(node) is Mapping:
        found = tuple(Parameter(key.value, "legacyObject", value, (), key) for key, value in node.pairs)
        return Declared(found, anything=True, legacy_form=True)
    declared: dict[str, Parameter] = {}
    for item in node.items if type(node) is Sequence else []:
        mapping = reader.mapping(item, "an item of 'parameters'")
        parameter = _read(reader, mapping) if mapping is not None else None
        if parameter is None:
            continue
        if declared.setdefault(parameter.name.casefold(), parameter) is not parameter:
            reader.problems.add(f"the parameter '{parameter.name}' exists already", parameter.node)
    if type(node) is Scalar:
        reader.problems.add("'parameters' has to be a list", node)
    return Declared(tuple(declared.values()))


def _read(reader: Reader, item: Mapping) -> Parameter | None:
    fields = reader.fields(item, PARAMETER)
    name = fields.get("name")
    if type(name) is not Scalar:
        return None
    default = fields.get("default")
    if default is not None and _has_expression(default):
        reader.problems.add(
            f"the default of the parameter '{name.value}' has to be a literal, not an expression", default
        )
        reader.problems.broken(default)
        default = Scalar("", default.line, default.column, default.source)
    kind = reader.choice(fields, "type", PARAMETER) or "string"
    return Parameter(name.value, kind, default, reader.values(fields.get("values"), "values"), name)


def _has_expression(node: Node) -> bool:
    if not node.dynamic:
        return False
    return type(node) is Scalar or any(_has_expression(each) for each in children(node))


def webhooks(root: Mapping) -> tuple[Parameter, ...]:
    """The webhooks of an entry file: template expressions read what they bring as parameters."""
    resources = root.get("resources")
    listed = resources.get("webhooks") if type(resources) is Mapping else None
    found = []
    for item in listed.items if type(listed) is Sequence else []:
        alias = item.get("webhook") if type(item) is Mapping else None
        if type(alias) is Scalar:
            found.append(Parameter(alias.value, "object", mapping_of([], alias), (), alias))
    return tuple(found)


def bind(reader: Reader, declared: Declared, given: Dict[str, Node], at: Node, *, entry: bool = False) -> Object:
    """The values of a file's parameters; `given` has them by name, `at` is where they are given.

    A `template:` in a value is not included here, but where the file puts the value. What does not fit is a problem.
    """
    by_name = {name.casefold(): (name, node) for name, node in given.items()}
    found: dict[str, Value] = {}
    for parameter in declared.parameters:
        _, node = by_name.pop(parameter.name.casefold(), ("", None))
        if node is None and parameter.default is None:
            place, advice = (parameter.node, f"give it: --parameter {parameter.name}=VALUE") if entry else (at, "")
            reader.problems.add(f"A value for the '{parameter.name}' parameter must be provided.", place, do=advice)
            found[parameter.name] = None
            continue
        chosen = node if node is not None else parameter.default
        if chosen is not None:
            found[parameter.name] = _convert(reader, parameter, chosen)
    for name, node in by_name.values():
        if declared.anything:
            found[name] = value_of(node)
        else:
            near = did_you_mean(name, [each.name for each in declared.parameters])
            reader.problems.add(f"Unexpected parameter '{name}'", node, do=near)
    return Object(found)


def _convert(reader: Reader, parameter: Parameter, node: Node) -> Value:
    kind = parameter.type
    if kind in _STRUCTURES:
        if kind in _CANONICAL:
            node = canonical(node, kind)
        if kind in _LISTS and type(node) is not Sequence:
            return [] if is_empty(node) else _refuse(reader, parameter, node, "a list is expected")
        return value_of(node)
    if kind == "stringList":
        return _strings(reader, parameter, node)
    if type(node) is not Scalar:
        sort = "sequence" if type(node) is Sequence else "mapping"
        return _refuse(reader, parameter, node, f"A {sort} was not expected")
    if parameter.values and kind in _WITH_VALUES and node.value not in parameter.values:
        return _not_allowed(reader, parameter, node)
    if kind == "boolean":
        folded = node.value.strip().casefold()
        if folded not in {"true", "false"}:
            return _refuse(reader, parameter, node, f"'{node.value}' is neither true nor false")
        return folded == "true"
    if kind == "number":
        number = as_number(node.value) if node.value else None
        if number is None and not parameter.values:
            return _refuse(reader, parameter, node, f"'{node.value}' is not a number")
        return node.value if number is None else number
    return node.value


def _strings(reader: Reader, parameter: Parameter, node: Node) -> Value:
    if type(node) is not Sequence:
        return [] if is_empty(node) else _refuse(reader, parameter, node, f"a list is expected, not {kind_of(node)}")
    for item in node.items:
        if type(item) is not Scalar:
            return _refuse(reader, parameter, item, f"a text is expected, not {kind_of(item)}")
        if parameter.values and item.value not in parameter.values:
            return _not_allowed(reader, parameter, item)
    return value_of(node)


def _not_allowed(reader: Reader, parameter: Parameter, node: Scalar) -> Value:
    allowed = ", ".join(parameter.values)
    return _refuse(reader, parameter, node, f"'{node.value}' is not allowed", f"one of: {allowed}")


def _refuse(reader: Reader, parameter: Parameter, node: Node, why: str, do: str = "") -> Value:
    reader.problems.add(f"the parameter '{parameter.name}' of type {parameter.type}: {why}", node, do=do)
    return None


def given_nodes(declared: Declared, given: Dict[str, object], at: Node, problems: Problems) -> dict[str, Node]:
    """What was given when the run was queued, as trees; a text given for a structure is read as YAML."""
    parameters = {each.name.casefold(): each for each in declared.parameters}
    found: dict[str, Node] = {}
    for name, value in given.items():
        parameter = parameters.get(name.casefold())
        place = parameter.node if parameter is not None else at
        structured = parameter is not None and (parameter.type in _STRUCTURES or parameter.type == "stringList")
        if structured and isinstance(value, str):
            loaded = load(Source(f"parameter {name}"), value, problems)
            found[name] = loaded if loaded is not None else _given_node("", place)
        else:
            found[name] = _given_node(value, place)
    return found


def _given_node(value: object, at: Node) -> Node:
    if isinstance(value, Dict):
        pairs = [
            (Scalar(str(key), at.line, at.column, at.source), _given_node(each, at)) for key, each in value.items()
        ]
        return mapping_of(pairs, at)
    if isinstance(value, list | tuple):
        return sequence_of([_given_node(each, at) for each in value], at)
    text = "" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return Scalar(text, at.line, at.column, at.source)
