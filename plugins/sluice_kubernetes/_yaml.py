"""YAML as Kubernetes reads it: dates and `22:30` are texts there, where YAML 1.1 would have times and sexagesimal numbers."""

from __future__ import annotations

import re
from typing import Any

import yaml

_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_OTHERWISE = frozenset({f"tag:yaml.org,2002:{name}" for name in ("timestamp", "int", "float", "value")})
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]*|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*)\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?\.[0-9_]+(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
)


class _Loader(_Base):  # type: ignore[misc]  # which of the two it is depends on how PyYAML was built
    yaml_implicit_resolvers = {  # noqa: RUF012  # as the base class has it
        first: [(tag, pattern) for tag, pattern in known if tag not in _OTHERWISE]
        for first, known in _Base.yaml_implicit_resolvers.items()
    }


def _add(tag: str, pattern: re.Pattern[str], first: str) -> None:
    for letter in first:
        whole = re.compile(f"^(?:{pattern.pattern})$")
        _Loader.yaml_implicit_resolvers.setdefault(letter, []).append((f"tag:yaml.org,2002:{tag}", whole))


_add("float", _FLOAT, "-+0123456789.")
_add("int", _INTEGER, "-+0123456789")


def load_all(text: str) -> list[Any]:
    """The documents of a text; raises `yaml.YAMLError`, `RecursionError` or `ValueError`."""
    return list(yaml.load_all(text, _Loader))


class _Dumper(yaml.SafeDumper):
    pass


_PLAIN = re.compile(r"[A-Za-z_/][\w./@-]*(?:[ :]?[\w./@-]+)*")
_WORDS = frozenset(["y", "yes", "n", "no", "on", "off", "true", "false", "null"])


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Quoted, wherever some reader might see more than a text in it."""
    if "\n" in text:
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|")
    is_plain = _PLAIN.fullmatch(text) and text.casefold() not in _WORDS
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if is_plain else '"')


_Dumper.add_representer(str, _text)


def dump_all(documents: list[Any]) -> str:
    """A text that Kubernetes, and `load_all`, read as these documents."""
    return str(yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True))
