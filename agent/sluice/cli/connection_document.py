"""Reads `connections.yml`: every mistake with its place, no secret in it or in a message about it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sluice.connections.connection import Draft
from sluice.connections.document import Wanted
from sluice.connections.references import check_reference
from sluice.errors import SluiceError, UsageError
from sluice.language.loader import load
from sluice.language.problems import Problems, did_you_mean
from sluice.language.tree import Mapping, Node, Scalar, Sequence, Source, kind_of
from sluice.storage.files import read_regular

MAX_BYTES = 8_000_000
_KEYS = (
    "name",
    "type",
    "scheme",
    "url",
    "description",
    "disabled",
    "allPipelines",
    "values",
    "secrets",
    "allowUntrusted",
    "expires",
)

_UNTRUSTED = ("none", "pull-requests", "forks")


def read_document(file: Path) -> tuple[Wanted, ...]:
    """The connections that a file describes; raises `PipelineError` with every problem, or `UsageError`."""
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


class _Reader:
    def __init__(self, problems: Problems) -> None:
        self._problems = problems

    def document(self, tree: Node) -> tuple[Wanted, ...]:
        if not isinstance(tree, Mapping):
            self._problems.add(f"the file must be a mapping with 'connections:', not {kind_of(tree)}", tree)
            return ()
        self._check_keys(tree, ("connections",))
        entries = tree.get("connections")
        if entries is None or (isinstance(entries, Scalar) and not entries.value):
            return ()
        if not isinstance(entries, Sequence):
            self._problems.add(f"'connections' must be a list, not {kind_of(entries)}", entries)
            return ()
        found = (self._connection(entry) for entry in entries.items)
        return tuple(one for one in found if one is not None)

    def _connection(self, node: Node) -> Wanted | None:
        if not isinstance(node, Mapping):
            self._problems.add(f"a connection must be a mapping, not {kind_of(node)}", node)
            return None
        self._check_keys(node, _KEYS)
        name, type_name = self._required(node, "name"), self._required(node, "type")
        description = self._text(node, "description")
        disabled = self._flag(node, "disabled")
        draft = Draft(
            name=name,
            type=type_name,
            scheme=self._text(node, "scheme") or "",
            url=self._text(node, "url") or "",
            description=description or "",
            disabled=bool(disabled),
            values=self._texts(node, "values"),
            references=self._texts(node, "secrets", self._check_secret),
            untrusted=self._untrusted(node) or "none",
            expires=self._text(node, "expires") or "",
        )
        return Wanted(
            draft=draft,
            description=description,
            disabled=disabled,
            all_pipelines=self._flag(node, "allPipelines"),
            untrusted=self._untrusted(node),
            expires=self._text(node, "expires"),
            where=node.where,
        )

    def _check_keys(self, node: Mapping, known: tuple[str, ...]) -> None:
        for key, _ in node.pairs:
            if key.value not in known:
                hint = did_you_mean(key.value, known) or f"known: {', '.join(known)}"
                self._problems.add(f"unknown key '{key.value}'", key, do=hint)

    def _required(self, node: Mapping, key: str) -> str:
        value = self._text(node, key)
        if not value:
            self._problems.add(f"a connection needs '{key}'", node)
        return value or ""

    def _text(self, node: Mapping, key: str) -> str | None:
        value = node.get(key)
        if value is None:
            return None
        if not isinstance(value, Scalar):
            self._problems.add(f"'{key}' must be a text, not {kind_of(value)}", value)
            return None
        return value.value

    def _flag(self, node: Mapping, key: str) -> bool | None:
        text = self._text(node, key)
        if text is None:
            return None
        if text.casefold() not in {"true", "false"}:
            self._problems.add(f"'{key}' must be true or false", node.get(key) or node)
            return None
        return text.casefold() == "true"

    def _untrusted(self, node: Mapping) -> str | None:
        text = self._text(node, "allowUntrusted")
        if text is not None and text not in _UNTRUSTED:
            self._problems.add(
                f"'allowUntrusted' must be one of {', '.join(_UNTRUSTED)}", node.get("allowUntrusted") or node
            )
            return None
        return text

    def _texts(self, node: Mapping, key: str, check: Callable[[Scalar, Scalar], None] | None = None) -> dict[str, str]:
        value = node.get(key)
        if value is None or (isinstance(value, Scalar) and not value.value):
            return {}
        if not isinstance(value, Mapping):
            self._problems.add(f"'{key}' must be a mapping, not {kind_of(value)}", value)
            return {}
        found: dict[str, str] = {}
        for name, text in value.pairs:
            if not isinstance(text, Scalar):
                self._problems.add(f"'{name.value}' must be a text, not {kind_of(text)}", text)
                continue
            if check is not None:
                check(name, text)
            found[name.value] = text.value
        return found

    def _check_secret(self, name: Scalar, text: Scalar) -> None:
        try:
            check_reference(text.value)
        except SluiceError as error:
            self._problems.add(
                f"the secret '{name.value}' must be a reference, a secret itself never stands in a file",
                text,
                do=error.do,
            )
