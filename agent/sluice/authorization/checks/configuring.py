"""What is to be stored of a check that somebody configures: its settings against what its kind declares. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping
from dataclasses import field, replace
from typing import TypeVar

from sluice.authorization.checks.kinds import APPROVAL
from sluice.errors import UsageError
from sluice.hooks.checks import MAX_MINUTES, CheckType, Criteria, Proposed
from sluice.hooks.connection import Value
from sluice.hooks.declaration import Field
from sluice.secret import Secret
from sluice.values import dataclass

V = TypeVar("V", str, Secret)

MAX_SETTING = 64 << 10
_BOOLEANS = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A check that fits its kind: public settings under the kind's own keys, secret ones, and the times in minutes."""

    settings: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    timeout: int = 0
    retry_interval: int = 0


def fit(
    kind: CheckType,
    settings: Mapping[str, str],
    secrets: Mapping[str, Secret] | None = None,
    *,
    kept: Collection[str] = (),
    timeout: int | None = None,
    retry_interval: int | None = None,
    criteria: Criteria | None = None,
) -> Fitted:
    """Check what was entered against the kind; raises `UsageError` that names everything that is wrong.

    `kept` are the keys of secret settings that are stored already and stay; None stands for the kind's own times.
    `criteria` knows the language of success criteria (`sluice.language.success_criteria`).
    """
    problems: list[str] = []
    public = _located(kind, settings, problems)
    sealed = _located(kind, secrets or {}, problems)
    for key in [key for key in public if _field(kind, key).secret]:
        problems.append(f"'{key}' is secret and is not taken as a plain value: use --secret {key}=-")
        del public[key]
    for key in [key for key in sealed if not _field(kind, key).secret]:
        public[key] = sealed.pop(key).reveal()
    values = {one.key: _value(one, public.get(one.key, "") or one.default, problems) for one in kind.fields}
    values = {key: value for key, value in values.items() if value}
    present = {*values, *sealed, *kept}
    problems += [
        f"{one.label} ('{one.key}') is required" for one in kind.fields if one.required and one.key not in present
    ]
    fitted = Fitted(
        settings=values,
        secrets=sealed,
        timeout=kind.timeout if timeout is None else timeout,
        retry_interval=kind.retry_interval if retry_interval is None else retry_interval,
    )
    problems += _times(kind, fitted)
    if not problems:
        proposed: dict[str, Value] = {**values, **sealed}
        more = Proposed(settings=proposed, timeout=fitted.timeout, retry_interval=fitted.retry_interval)
        if criteria is not None:
            more = replace(more, criteria=criteria)
        problems += kind.problems(more)
        problems += _enough_approvers(kind, values)
    if problems:
        raise UsageError(f"the {kind.label} check is not as it has to be: {'; '.join(problems)}")
    return fitted


def _located(kind: CheckType, entered: Mapping[str, V], problems: list[str]) -> dict[str, V]:
    """What was entered under the kind's own keys."""
    found: dict[str, V] = {}
    known = {one.key.casefold(): one.key for one in kind.fields}
    for name, value in entered.items():
        key = known.get(name.strip().casefold())
        if key is None:
            near = difflib.get_close_matches(name.casefold(), known, n=1)
            hint = f"did you mean '{known[near[0]]}'?" if near else f"it has: {', '.join(known.values()) or 'none'}"
            problems.append(f"there is no setting '{name}' ({hint})")
        else:
            found[key] = value
    return found


def _field(kind: CheckType, key: str) -> Field:
    found = kind.field(key)
    assert found is not None  # noqa: S101  # keys are the kind's own by now
    return found


def _value(one: Field, written: str, problems: list[str]) -> str:
    """A value in its canonical form; what is wrong with it joins the problems."""
    text = written if one.kind == "multiline" else written.strip()
    if not text:
        return ""
    if len(text) > MAX_SETTING:
        problems.append(f"{one.label} ('{one.key}') is longer than {MAX_SETTING} characters")
        return ""
    if one.kind == "boolean":
        if text.casefold() not in _BOOLEANS:
            problems.append(f"{one.label} ('{one.key}') is true or false")
        return _BOOLEANS.get(text.casefold(), "")
    if one.choices:
        chosen = next((choice for choice in one.choices if choice.casefold() == text.casefold()), "")
        if not chosen:
            problems.append(f"{one.label} ('{one.key}') is one of {', '.join(one.choices)}")
        return chosen
    if one.kind == "number" and not text.isdecimal():
        problems.append(f"{one.label} ('{one.key}') is a whole number")
    elif one.validation and re.fullmatch(one.validation, text) is None:
        problems.append(f"{one.label} ('{one.key}'): {one.validation_message or 'it is not as it has to be'}")
    return text


def _times(kind: CheckType, fitted: Fitted) -> list[str]:
    most = kind.max_timeout or 2**31 - 1
    problems = []
    if not 1 <= fitted.timeout <= most:
        problems.append(f"the time-out is 1 to {most} minutes")
    if not 0 <= fitted.retry_interval <= MAX_MINUTES:
        problems.append(f"the time between evaluations is 0 to {MAX_MINUTES} minutes")
    return problems


def _enough_approvers(kind: CheckType, values: Mapping[str, str]) -> list[str]:
    if kind is not APPROVAL:
        return []
    count = len({name.strip().casefold() for name in values.get("approvers", "").split(",") if name.strip()})
    if int(values.get("minRequiredApprovers", "0")) > count:
        return [f"the minimum is more than there are approvers ({count})"]
    return []
