"""Policies in Rego: which of their rules name errors, and what they say of an input.

As documented, a policy needs no package, sees the artifacts as `values`, may `trace`, and names what is wrong in rules
such as `checkregistries[errors] { ... }`. So does `checkregistries contains errors if { ... }` of newer Rego. A rule
that is itself called `errors`, `violations` or `deny` counts as well.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice.plugin import SluiceError

SECONDS = 30.0
LONGEST = 64 * 1024
_PROCESS = Path(__file__).with_name("_policy_process.py")
_NEEDED = ("SYSTEMROOT",)
"""Without it Windows starts no Python."""
_PACKAGE = "sluice_policy"
_ERRORS = frozenset({"error", "errors", "violation", "violations"})
_RULES = frozenset({"errors", "violations", "violation", "deny"})
_WORD = r"[A-Za-z_]\w*"
_UNREAD = re.compile(r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|\#[^\n]*')
_HEAD = re.compile(rf"\s*(?:default\s+)?({_WORD})\s*(?:\[\s*({_WORD})\s*\]|contains\s+({_WORD}))?", re.ASCII)
_PACKAGE_LINE = re.compile(rf"^\s*package\s+({_WORD}(?:\.{_WORD})*)\s*$", re.ASCII | re.MULTILINE)
_IMPORTED = re.compile(r"^\s*import\s+[\w.]*\bvalues\s*$", re.ASCII | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy as it is evaluated: `text` with a package, the names of the rules that name errors."""

    text: str
    package: str
    rules: tuple[str, ...]
    names: frozenset[str]


def read(text: str) -> Policy:
    """The policy in a text; raises `SluiceError` when it could refuse nothing."""
    if len(text) > LONGEST:
        raise SluiceError("the policy is longer than 64 KiB")
    plain = _UNREAD.sub(lambda match: '""' if match[0][0] != "#" else "", text)
    named = _PACKAGE_LINE.search(plain)
    if named is None and re.search(r"^\s*package\b", plain, re.MULTILINE):
        raise SluiceError("the policy's package is no dotted name", do="leave it out, or write: package policy")
    heads = tuple(_heads(plain))
    rules = tuple(dict.fromkeys(name for name, variable in heads if variable in _ERRORS or name in _RULES))
    if not rules:
        raise SluiceError(
            "the policy has no rule that names errors, so it would pass everything",
            do='write one such as: check[errors] { errors := "not allowed" }',
        )
    names = frozenset(name for name, _ in heads) | ({"values"} if _IMPORTED.search(plain) else frozenset())
    if named is None:
        return Policy(f"package {_PACKAGE}\n{text}", _PACKAGE, rules, names)
    return Policy(text, named[1], rules, names)


def told(policy: Policy, values: list[dict[str, object]]) -> tuple[list[str], int]:
    """What its rules say of the artifacts: the first of them, and how many; raises `SluiceError` for a broken one."""
    ours = {"trace": "trace(_) := true", "values": "values := input.values"}
    request: dict[str, object] = {
        "modules": {
            "policy": policy.text,
            "sluice": "\n".join([f"package {policy.package}", *(ours[one] for one in ours if one not in policy.names)]),
        },
        "query": f"data.{policy.package}",
        "rules": policy.rules,
        "input": {"values": values},
    }
    answer = _answered(request)
    if "told" not in answer:
        raise SluiceError(f"the policy cannot be evaluated: {printable(str(answer.get('error', '')))}")
    return [printable(one) for one in answer["told"]], answer["count"]


def printable(text: str) -> str:
    """The text without what a terminal would act on."""
    return "".join(one if one.isprintable() else " " for one in text).strip()


def _answered(request: dict[str, object]) -> dict[str, Any]:
    """What the process answers; it starts with an empty environment, which a policy can read."""
    try:
        done = subprocess.run(
            [sys.executable, "-I", str(_PROCESS)],
            input=json.dumps(request).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=tempfile.gettempdir(),
            env={name: os.environ[name] for name in _NEEDED if name in os.environ},
            timeout=SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
    except subprocess.TimeoutExpired:
        raise SluiceError(f"the policy was not evaluated within {SECONDS:g} seconds") from None
    except ValueError:  # it was ended before it could answer
        raise SluiceError("the policy needs more time or memory than there is for one") from None
    return answer if isinstance(answer, dict) else {}


def _heads(plain: str) -> Iterator[tuple[str, str]]:
    """Name and variable of each rule: what stands at the beginning of a line, outside all brackets."""
    depth = 0
    for line in plain.split("\n"):
        head = _HEAD.match(line)
        if depth == 0 and head is not None and head[1] not in {"package", "import"}:
            yield head[1], head[2] or head[3] or ""
        depth = max(0, depth + sum(line.count(one) for one in "{([") - sum(line.count(one) for one in "})]"))
