"""Variable blocks: the map form, and the list form with groups."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sluice.language.plan import Text, Variable
from sluice.language.reader import text_of
from sluice.language.schema import VARIABLE, VARIABLE_GROUP
from sluice.language.tree import Mapping, Scalar, Sequence, kind_of

if TYPE_CHECKING:
    from sluice.language.build import Build
    from sluice.language.tree import Node

_RESERVED = re.compile(r"(endpoint|input|secret|path|securefile)", re.IGNORECASE)
_PARTIAL_RUNTIME = re.compile(r"\$\[.*\]", re.DOTALL)


def build_variables(build: Build, node: Node | None) -> tuple[Variable, ...]:
    """The definitions of a `variables` block, in file order."""
    found: list[Variable] = []
    if type(node) is Mapping:
        for key, value in node.pairs:
            if type(value) is not Scalar:
                build.problems.add(f"the variable '{key.value}' has to be a text, not {kind_of(value)}", value)
                continue
            found.append(Variable(name=key.value, value=_value(build, value)))
            _check_name(build, key)
    elif type(node) is Sequence:
        for item in node.items:
            mapping = build.reader.mapping(item, "an item of 'variables'")
            variable = _item(build, mapping) if mapping is not None else None
            if variable is not None:
                found.append(variable)
    return tuple(found)


def _item(build: Build, item: Mapping) -> Variable | None:
    reader = build.reader
    keys = [key.value for key, _ in item.pairs]
    if "group" in keys and "name" not in keys:
        group = reader.fields(item, VARIABLE_GROUP).get("group")
        if type(group) is not Scalar or not group.value:
            return None
        return Variable(name=group.value, value=text_of(group), group=True)
    fields = reader.fields(item, VARIABLE)
    name = fields.get("name")
    if type(name) is not Scalar:
        return None
    _check_name(build, name)
    value = fields.get("value")
    return Variable(
        name=name.value,
        value=_value(build, value) if type(value) is Scalar else Text("", name.where),
        readonly=reader.boolean(fields, "readonly", default=False),
    )


def _value(build: Build, node: Scalar) -> Text:
    text = node.value.strip()
    if text.startswith("$[") and text.endswith("]"):
        build.check_runtime(node)
        return Text(text, node.where)
    if _PARTIAL_RUNTIME.search(text):
        build.problems.note("'$[ ]' has to be the whole value, here it stays text", node)
    return text_of(node)


def _check_name(build: Build, name: Scalar) -> None:
    if not name.value.strip():
        build.problems.add("a variable needs a name", name)
    elif _RESERVED.match(name.value):
        build.problems.note(f"the variable '{name.value}' has a reserved name: tasks and scripts do not get it", name)
