"""`task.json`: what a task is called, what it takes, and which code it runs in each of its executions."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from sluice.errors import UsageError
from sluice.hooks.declaration import Input
from sluice.language.visibility import both_rules
from sluice.runtime.packages import tolerant_json
from sluice.runtime.packages.tolerant_json import text_of
from sluice.runtime.request import Execution
from sluice.values import dataclass

FILE = "task.json"
MAX_INPUTS = 2000
MAX_HANDLERS = 50

_KEYS = {
    Execution.PRE: "prejobexecution",
    Execution.MAIN: "execution",
    Execution.POST: "postjobexecution",
}
_NAME = re.compile(r"[A-Za-z0-9\-]{1,128}\Z")
_NUMBER = re.compile(r"[0-9]{1,9}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class HandlerSpec:
    """One handler of an execution: `kind` as written (`Node20_1`), its properties by lower-case name."""

    kind: str
    target: str
    platforms: tuple[str, ...] = ()
    properties: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskManifest:
    """A task as its package describes it.

    `restricted` and `settable` are the task's own restrictions (`settable` None: any variable), `outputs` the
    variables that are output variables whether or not the task says so, `multiple` the inputs that take several
    values.
    """

    id: str
    name: str
    version: tuple[int, int, int]
    label: str = ""
    description: str = ""
    author: str = ""
    help: str = ""
    inputs: tuple[Input, ...] = ()
    multiple: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    executions: Mapping[Execution, tuple[HandlerSpec, ...]] = field(default_factory=dict)
    restricted: bool = False
    settable: tuple[str, ...] | None = None
    runs_on: tuple[str, ...] = ()
    demands: tuple[str, ...] = ()
    minimum_agent: str = ""
    deprecated: bool = False
    deprecation: str = ""

    @property
    def version_text(self) -> str:
        """`Major.Minor.Patch`."""
        return ".".join(map(str, self.version))

    @property
    def reference(self) -> str:
        """`Name@Major`."""
        return f"{self.name}@{self.version[0]}"


def read_manifest(folder: Path) -> TaskManifest:
    """The manifest of the package in a folder; raises `UsageError` that says what is wrong with it."""
    path = folder / FILE
    return parse_manifest(tolerant_json.read_json(path, what=FILE), where=str(path))


def parse_manifest(values: Mapping[str, Any], *, where: str) -> TaskManifest:
    """A manifest's values, checked; unknown keys are ignored."""
    reader = _Reader(values, where)
    return TaskManifest(
        id=reader.id(),
        name=reader.name(),
        version=reader.version(),
        label=reader.text("friendlyName"),
        description=reader.text("description"),
        author=reader.text("author"),
        help=reader.text("helpUrl") or reader.text("helpMarkDown"),
        inputs=reader.inputs(),
        multiple=reader.multiple(),
        outputs=tuple(text_of(_get(one, "name")) for one in reader.objects("outputVariables")),
        executions=reader.executions(),
        restricted=reader.restricted(),
        settable=reader.settable(),
        runs_on=reader.texts("runsOn"),
        demands=reader.texts("demands"),
        minimum_agent=reader.text("minimumAgentVersion"),
        deprecated=_flag(_get(values, "deprecated")),
        deprecation=reader.text("deprecationMessage"),
    )


class _Reader:
    def __init__(self, values: Mapping[str, Any], where: str) -> None:
        self._values = values
        self._where = where

    def text(self, name: str) -> str:
        return text_of(_get(self._values, name))

    def texts(self, name: str) -> tuple[str, ...]:
        return _texts(_get(self._values, name))

    def objects(self, name: str) -> Sequence[Mapping[str, Any]]:
        value = _get(self._values, name)
        found = [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
        if len(found) > MAX_INPUTS:
            raise self._wrong(f"'{name}' has {len(found)} items, at most {MAX_INPUTS} are taken")
        return found

    def id(self) -> str:
        written = self.text("id")
        try:
            return str(uuid.UUID(written))
        except ValueError:
            raise self._wrong(f"'id' is not a GUID: '{written[:80]}'") from None

    def name(self) -> str:
        written = self.text("name")
        if _NAME.match(written) is None:
            raise self._wrong(f"'name' may hold letters, digits and '-', not '{written[:80]}'")
        return written

    def version(self) -> tuple[int, int, int]:
        written = _get(self._values, "version")
        parts = written if isinstance(written, dict) else {}
        numbers = [text_of(_get(parts, name)) or "0" for name in ("Major", "Minor", "Patch")]
        if not parts or not all(map(_NUMBER.match, numbers)):
            raise self._wrong("'version' has to hold the numbers Major, Minor and Patch")
        major, minor, patch = map(int, numbers)
        return major, minor, patch

    def inputs(self) -> tuple[Input, ...]:
        groups = {
            text_of(_get(one, "name")).strip().casefold(): text_of(_get(one, "visibleRule"))
            for one in self.objects("groups")
        }
        return tuple(_input(one, groups) for one in self.objects("inputs") if text_of(_get(one, "name")).strip())

    def multiple(self) -> tuple[str, ...]:
        wanted = ("MultiSelect", "MultiSelectFlatList")
        return tuple(
            text_of(_get(one, "name")).strip()
            for one in self.objects("inputs")
            if any(_flag(_get(_object(one, "properties"), key)) for key in wanted)
        )

    def executions(self) -> Mapping[Execution, tuple[HandlerSpec, ...]]:
        found = {}
        for execution, key in _KEYS.items():
            handlers = _object(self._values, key)
            if len(handlers) > MAX_HANDLERS:
                raise self._wrong(f"'{key}' has {len(handlers)} handlers, at most {MAX_HANDLERS} are taken")
            if handlers:
                found[execution] = tuple(_handlers(handlers))
        return found

    def restricted(self) -> bool:
        commands = _object(_object(self._values, "restrictions"), "commands")
        return text_of(_get(commands, "mode")).casefold() == "restricted"

    def settable(self) -> tuple[str, ...] | None:
        limits = _get(_object(self._values, "restrictions"), "settableVariables")
        if not isinstance(limits, dict):
            return None
        allowed = _get(limits, "allowed")
        return _texts(allowed) if isinstance(allowed, list) else None

    def _wrong(self, why: str) -> UsageError:
        return UsageError(f"the {FILE} is invalid", where=self._where, why=why)


def _input(values: Mapping[str, Any], groups: Mapping[str, str]) -> Input:
    group = text_of(_get(values, "groupName")).strip().casefold()
    options = _get(values, "options")
    return Input(
        text_of(_get(values, "name")).strip(),
        type=text_of(_get(values, "type")).strip() or "string",
        label=text_of(_get(values, "label")),
        aliases=_texts(_get(values, "aliases")),
        default=text_of(_get(values, "defaultValue")),
        required=_flag(_get(values, "required")),
        options=tuple(options) if isinstance(options, dict) else (),
        visible=both_rules(groups.get(group, ""), text_of(_get(values, "visibleRule"))),
        help=text_of(_get(values, "helpMarkDown")),
    )


def _handlers(values: Mapping[str, Any]) -> Iterator[HandlerSpec]:
    for kind, written in values.items():
        if isinstance(written, dict):
            platforms = _texts(_get(written, "platforms"))
            properties = {
                name.lower(): text_of(value) for name, value in written.items() if not isinstance(value, dict | list)
            }
            target = properties.get("target", "").strip()
            yield HandlerSpec(kind=kind, target=target, platforms=platforms, properties=properties)


def _get(values: Mapping[str, Any], name: str) -> Any:
    return tolerant_json.field(values, name)


def _object(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = _get(values, name)
    return value if isinstance(value, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(text for one in value if (text := text_of(one))) if isinstance(value, list) else ()


def _flag(value: Any) -> bool:
    return text_of(value).strip().casefold() == "true"
