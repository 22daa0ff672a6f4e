"""Reads and writes `permissions.yml`: what pipelines and people may do with resources, every mistake with its place."""

from __future__ import annotations

from collections.abc import Mapping as AnyMapping
from pathlib import Path
from typing import Any

from sluice.authorization.limits import Limits
from sluice.authorization.resources import ENDPOINT, ENVIRONMENT, QUEUE, REPOSITORY, SECURE_FILE, VARIABLE_GROUP
from sluice.authorization.roles import Role
from sluice.authorization.trust import Untrusted
from sluice.errors import SluiceError, UsageError
from sluice.identity.granting import WantedPermit, WantedResource
from sluice.language.loader import load
from sluice.language.problems import Problems, did_you_mean
from sluice.language.tree import Mapping, Node, Scalar, Sequence, Source, kind_of
from sluice.storage.files import read_regular

MAX_BYTES = 8_000_000
KINDS: AnyMapping[str, str] = {
    "connection": ENDPOINT,
    "variableGroup": VARIABLE_GROUP,
    "secureFile": SECURE_FILE,
    "environment": ENVIRONMENT,
    "repository": REPOSITORY,
    "pool": QUEUE,
}
"""What a resource is named by in the file, and its kind."""

_KEYS = (*KINDS, "allPipelines", "pipelines", "roles", "allowUntrusted")
_LIMITS = ("stages", "branches", "tasks")


def read_document(file: Path) -> tuple[WantedResource, ...]:
    """The resources that a file describes; raises `PipelineError` with every problem, or `UsageError`."""
    try:
        content = read_regular(file, MAX_BYTES)
    except OSError as error:
        raise UsageError(f"the file '{file}' cannot be read", why=error.strerror or str(error)) from error
    if len(content) > MAX_BYTES:
        raise UsageError(f"the file '{file}' is larger than {MAX_BYTES // 1_000_000} MB")
    problems = Problems()
    tree = load(Source(str(file)), content, problems)
    wanted = _Reader(problems).document(tree) if tree is not None else ()
    problems.raise_if_any()
    return wanted


def as_document(resources: list[WantedResource]) -> dict[str, Any]:
    """What holds, as plain values that the file has."""
    return {"permissions": [_as_entry(one) for one in resources]}


def _as_entry(one: WantedResource) -> dict[str, Any]:
    permits = one.permits or ()
    everybody = next((permit for permit in permits if not permit.pipeline), None)
    entry: dict[str, Any] = {next(key for key, kind in KINDS.items() if kind == one.kind): one.name}
    if everybody is not None:
        entry["allPipelines"] = dict(everybody.limits.as_json()) or True
    entry["pipelines"] = [
        {"pipeline": permit.pipeline, **permit.limits.as_json()} if permit.limits else permit.pipeline
        for permit in permits
        if permit.pipeline
    ]
    if one.roles:
        entry["roles"] = {name: str(role) for name, role in one.roles.items()}
    if one.untrusted not in {None, Untrusted.NONE}:
        entry["allowUntrusted"] = one.untrusted
    return entry


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def document(self, tree: Node) -> tuple[WantedResource, ...]:
        if not isinstance(tree, Mapping):
            self._problems.add(f"the file must be a mapping with 'permissions:', not {kind_of(tree)}", tree)
            return ()
        self._check_keys(tree, ("permissions",))
        found = (self._resource(entry) for entry in self._items(tree, "permissions"))
        return tuple(one for one in found if one is not None)

    def _resource(self, node: Node) -> WantedResource | None:
        if not isinstance(node, Mapping):
            self._problems.add(f"a resource must be a mapping, not {kind_of(node)}", node)
            return None
        self._check_keys(node, _KEYS)
        named = [key for key in KINDS if node.get(key) is not None]
        if len(named) != 1:
            self._problems.add(f"an entry names one resource with one of {', '.join(KINDS)}", node)
            return None
        kind, name = KINDS[named[0]], self._text(node.get(named[0]), named[0])
        permits: tuple[WantedPermit, ...] | None = None
        if node.get("pipelines") is not None or node.get("allPipelines") is not None:
            permits = (*self._everybody(node), *(self._permit(one) for one in self._items(node, "pipelines")))
        for permit in permits or ():
            if permit.limits.tasks and kind != ENDPOINT:
                self._problems.add("only permits of service connections can be limited to tasks", node)
        return WantedResource(
            kind=kind,
            name=name,
            where=node.where,
            permits=permits,
            roles=self._roles(node),
            untrusted=self._untrusted(node),
        )

    def _everybody(self, node: Mapping) -> tuple[WantedPermit, ...]:
        value = node.get("allPipelines")
        if value is None or (isinstance(value, Scalar) and value.value.casefold() == "false"):
            return ()
        if isinstance(value, Mapping):
            self._check_keys(value, _LIMITS)
            return (WantedPermit(pipeline="", limits=self._limits(value), where=value.where),)
        if not isinstance(value, Scalar) or value.value.casefold() != "true":
            self._problems.add("'allPipelines' must be true, false, or the limits of all pipelines", value)
        return (WantedPermit(pipeline="", where=value.where),)

    def _permit(self, node: Node) -> WantedPermit:
        if not isinstance(node, Mapping):
            return WantedPermit(pipeline=self._text(node, "pipelines"), where=node.where)
        self._check_keys(node, ("pipeline", *_LIMITS))
        name = node.get("pipeline")
        if name is None:
            self._problems.add("an entry of 'pipelines' needs 'pipeline'", node)
        pipeline = self._text(name, "pipeline") if name is not None else ""
        return WantedPermit(pipeline=pipeline, limits=self._limits(node), where=node.where)

    def _limits(self, node: Mapping) -> Limits:
        lists = {key: [self._text(item, key) for item in self._items(node, key)] for key in _LIMITS}
        try:
            return Limits.of(**lists)
        except SluiceError as error:
            self._problems.add(error.what, node, do=error.do)
            return Limits()

    def _roles(self, node: Mapping) -> dict[str, Role] | None:
        value = node.get("roles")
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self._problems.add(f"'roles' must be a mapping of names to roles, not {kind_of(value)}", value)
            return None
        found: dict[str, Role] = {}
        known = {role.casefold(): role for role in Role if role is not Role.CREATOR}
        for name, text in value.pairs:
            role = known.get(self._text(text, name.value).casefold())
            if role is None:
                self._problems.add(
                    f"'{name.value}' has no such role", text, do=f"roles are {', '.join(known.values())}"
                )
            else:
                found[name.value] = role
        return found

    def _untrusted(self, node: Mapping) -> str | None:
        value = node.get("allowUntrusted")
        if value is None:
            return None
        text = self._text(value, "allowUntrusted")
        if text not in set(Untrusted):
            self._problems.add(f"'allowUntrusted' must be one of {', '.join(Untrusted)}", value)
        return text

    def _items(self, node: Mapping, key: str) -> tuple[Node, ...]:
        value = node.get(key)
        if value is None or (isinstance(value, Scalar) and not value.value):
            return ()
        if not isinstance(value, Sequence):
            self._problems.add(f"'{key}' must be a list, not {kind_of(value)}", value)
            return ()
        return tuple(value.items)

    def _text(self, node: Node | None, key: str) -> str:
        if not isinstance(node, Scalar) or not node.value.strip():
            if node is not None:
                self._problems.add(f"'{key}' must be a text that is not empty", node)
            return ""
        return node.value.strip()

    def _check_keys(self, node: Mapping, known: tuple[str, ...]) -> None:
        for key, _ in node.pairs:
            if key.value not in known:
                hint = did_you_mean(key.value, known) or f"known: {', '.join(known)}"
                self._problems.add(f"unknown key '{key.value}'", key, do=hint)
