"""Checks that a connection fits its type, and puts what a person entered into the form that is stored."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sluice.connections.catalogue import choose_scheme, fields_of, find_field, nearest
from sluice.connections.connection import Key
from sluice.errors import ConnectionInvalidError, SluiceError, UsageError
from sluice.secret import Secret
from sluice.storage.names import clean_name, hidden_characters, is_guid
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.hooks.declaration import ConnectionType, Field, Url

MAX_NAME = 256
MAX_DESCRIPTION = 1024
MAX_VALUE = 1 << 20
UNMASKED_SECRET = 3
"""Secrets below this length are not masked (as the runtime's mask has it; a test compares them)."""

SHORT_SECRET = 6
"""Secrets below this length are masked as they are written only, not when something encodes them."""

COMMON_SECRETS = frozenset({"true", "false", "yes", "null", "none", "undefined"})
"""Words that are not masked, since half of every log would vanish (as the runtime's mask has it)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entered:
    """Values by place and key: `values` public ones, `secrets` to be sealed, `references` to be stored as they are.

    `kept` are secrets that are stored already and stay.
    """

    values: Mapping[Key, str] = field(default_factory=dict)
    secrets: Mapping[Key, Secret] = field(default_factory=dict)
    references: Mapping[Key, str] = field(default_factory=dict)
    kept: frozenset[Key] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """A connection that fits its type, ready to be stored; `warnings` are for the person who entered it."""

    type: str
    scheme: str
    url: str
    entered: Entered
    warnings: tuple[str, ...] = ()


def check_name(name: str) -> str:
    """A connection's name as it is stored; raises `ConnectionInvalidError` for one that cannot be referred to."""
    cleaned = clean_name(name)
    if not cleaned:
        raise ConnectionInvalidError("a connection needs a name")
    if len(cleaned) > MAX_NAME:
        raise ConnectionInvalidError(f"the connection's name is longer than {MAX_NAME} characters")
    if hidden_characters(cleaned):
        raise ConnectionInvalidError("the connection's name holds characters that cannot be seen")
    if is_guid(cleaned):
        raise ConnectionInvalidError("a connection's name may not look like an id", do="choose a name of words")
    return cleaned


def check_description(description: str) -> str:
    """A description as it is stored."""
    if len(description) > MAX_DESCRIPTION:
        raise ConnectionInvalidError(f"the description is longer than {MAX_DESCRIPTION} characters")
    return description.strip()


def place(
    fields: Mapping[Key, Field],
    kind: str,
    values: Mapping[str, str],
    secrets: Mapping[str, Secret],
    references: Mapping[str, str],
) -> Entered:
    """Find the field that each key means.

    Raises `ConnectionInvalidError` for unknown keys (with the nearest one) and `UsageError` for a secret among the
    public values; no value is repeated in either.
    """
    problems = [
        f"'{kind}' has no field '{name}' ({nearest(name, [key for _, key in fields], otherwise=_known(fields))})"
        for name in (*values, *secrets, *references)
        if find_field(fields, name) is None
    ]
    if problems:
        raise ConnectionInvalidError("; ".join(problems))
    located = {name: key for name in (*values, *secrets, *references) if (key := find_field(fields, name))}
    for name in values:
        if fields[located[name]].secret:
            raise UsageError(
                f"the field '{located[name][1]}' is secret and is not taken as a plain value",
                do=f"use --secret {located[name][1]}=- to be asked for it, or =@file, or =env:NAME",
            )
    entered_secrets = {located[name]: secret for name, secret in secrets.items()}
    entered_values = {located[name]: value for name, value in values.items()}
    for key in list(entered_secrets):
        if not fields[key].secret:  # whoever guards a public value more than needed is not wrong
            entered_values[key] = entered_secrets.pop(key).reveal()
    return Entered(
        values=entered_values,
        secrets=entered_secrets,
        references={located[name]: reference for name, reference in references.items()},
    )


def fit(kind: ConnectionType, scheme_name: str, url: str, entered: Entered) -> Fitted:
    """Check placed values against the type; raises `ConnectionInvalidError` that names everything that is wrong."""
    scheme = choose_scheme(kind, scheme_name)
    fields = fields_of(kind, scheme)
    problems: list[str] = []
    values: dict[Key, str] = {}
    for key, one in fields.items():
        written = entered.values.get(key, "") or ("" if one.secret else one.default)
        if written:
            values[key] = _checked(problems, one, written)
    values.update({key: value for key, value in entered.values.items() if key not in fields})
    secrets = {key: secret for key, secret in entered.secrets.items() if secret}
    for key, secret in secrets.items():
        if key in fields:
            _checked(problems, fields[key], secret.reveal())
    problems.extend(
        f"{fields[key].label} ('{key[1]}') is given as itself, not as a reference"
        for key in entered.references
        if key in fields and not may_be_reference(fields[key])
    )
    present = {*values, *secrets, *entered.references, *entered.kept}
    public = {name: value for (_, name), value in values.items()}
    problems.extend(
        f"{one.label} ('{key[1]}') is required"
        for key, one in fields.items()
        if one.required and one.applies(public) and key not in present
    )
    checked_url = ""
    try:
        checked_url = fit_url(
            kind.url, url, {name: value for (where, name), value in values.items() if where == "data"}
        )
    except SluiceError as error:
        problems.append(str(error))
    if problems:
        raise ConnectionInvalidError("; ".join(problems))
    warnings = [text for key, secret in secrets.items() if (text := weakness(key[1], secret))]
    if lacking := without_secret(fields, present):
        names = " or ".join(f"'{key}'" for key in lacking)
        warnings.append(f"it has no secret: {names} can be given with 'sluice connection update NAME --secret KEY=-'")
    return Fitted(
        type=kind.name,
        scheme=scheme.name if scheme else "",
        url=checked_url,
        entered=Entered(values=values, secrets=secrets, references=entered.references, kept=entered.kept),
        warnings=tuple(warnings),
    )


def may_be_reference(one: Field) -> bool:
    """Whether a field's value may lie elsewhere: a secret, or a text that comes with one, such as a user name.

    Where the far side is may not: it would move without dropping the secrets that are for another place.
    """
    return one.secret or (one.kind == "text" and not one.address and not one.choices)


def without_secret(fields: Mapping[Key, Field], present: Collection[Key]) -> tuple[str, ...]:
    """The secrets that a connection could have when it names an account and has none of them; () when it is fine."""
    secret = [key for key, one in fields.items() if one.secret]
    account = any(key[0] == "parameters" and not one.secret and key in present for key, one in fields.items())
    return tuple(key for _, key in secret) if account and not any(key in present for key in secret) else ()


def fit_url(rule: Url, url: str, data: Mapping[str, str]) -> str:
    """The url by the type's rule: as entered, the default, made from the data values, or chosen by one of them."""
    by_value = {value.casefold(): chosen for value, chosen in rule.by_value}
    chooser = next((value for key, value in data.items() if key.casefold() == rule.chosen_by.casefold()), "")
    made = by_value.get(chooser.casefold(), "") if rule.entered else _fill(rule.template, data)
    if made or not rule.entered:
        others = {one.rstrip("/") for one in by_value.values()}  # that of the value that was chosen before
        if url and made and url.rstrip("/") not in {made.rstrip("/"), *others}:
            raise ConnectionInvalidError(
                "the url of this type is not entered", why="it is made from other fields", do=f"leave it out: {made}"
            )
        return made
    if url.rstrip("/") in {one.rstrip("/") for one in by_value.values()}:
        url = ""
    chosen = url.strip() or rule.default
    if not chosen:
        if rule.required:
            raise ConnectionInvalidError(f"{rule.label} (the url) is required")
        return ""
    _check_url(rule, chosen)
    return chosen


def weakness(key: str, secret: Secret) -> str:
    """What to warn of when logs may show a secret, since it is too short or too common to mask; '' when it is fine."""
    text = secret.reveal().strip()
    if len(text) < UNMASKED_SECRET:
        return f"the secret '{key}' is too short to be masked: logs may show it"
    if text.casefold() in COMMON_SECRETS:
        return f"the secret '{key}' is a common word and is not masked: logs may show it"
    if len(text) < SHORT_SECRET:
        return f"the secret '{key}' is short: logs may show it when something encodes it"
    return ""


def _check_url(rule: Url, url: str) -> None:
    if len(url) > MAX_VALUE or hidden_characters(url) or " " in url:
        raise ConnectionInvalidError("the url holds blanks or characters that cannot be seen")
    if rule.bare and "/" in url:
        raise ConnectionInvalidError(f"{rule.label} is a host with its port", do="write it as machine.example.com:8100")
    try:
        parts = urlsplit(f"//{url}" if rule.bare else url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ConnectionInvalidError("the url cannot be read", do="write it as https://host/path") from None
    if rule.schemes and not rule.bare and parts.scheme not in rule.schemes:
        allowed = ", ".join(f"{one}://" for one in rule.schemes)
        raise ConnectionInvalidError(f"the url must start with one of: {allowed}")
    if parts.scheme != "file" and not host:
        raise ConnectionInvalidError("the url names no host", do="write it as https://host/path")
    if parts.password is not None or (parts.username and (rule.bare or parts.scheme in {"http", "https"})):
        raise ConnectionInvalidError(
            "the url holds a user name or a password", do="enter them as fields of the connection instead"
        )


def _fill(template: str, data: Mapping[str, str]) -> str:
    by_key = {name.casefold(): value for name, value in data.items()}
    missing = False

    def part(match: re.Match[str]) -> str:
        nonlocal missing
        value = by_key.get(match[1].casefold(), "")
        missing = missing or not value
        return f"[{value}]" if ":" in value and not value.startswith("[") else value

    filled = re.sub(r"\{([^{}]+)\}", part, template)
    return "" if missing else filled


def _checked(problems: list[str], one: Field, written: str) -> str:
    """A value in its stored form; what is wrong with it is added to the problems, without the value if it is secret."""
    try:
        value = _in_kind(one, written)
    except ConnectionInvalidError as error:
        problems.append(f"{one.label} ('{one.key}') {error.what}")
        return written
    if one.validation and not re.fullmatch(one.validation, value):
        message = one.validation_message or "it does not have the form that is expected"
        problems.append(f"{one.label} ('{one.key}'): {message}")
    return value


def _in_kind(one: Field, written: str) -> str:
    if len(written) > MAX_VALUE:
        raise ConnectionInvalidError("is longer than 1 MiB")
    if "\0" in written:
        raise ConnectionInvalidError("holds a NUL character")
    value = written
    if one.kind != "multiline":
        if not one.secret:
            value = value.strip()
        if "\n" in value or "\r" in value:
            raise ConnectionInvalidError("must be a single line")
    if one.secret and not value.strip():
        raise ConnectionInvalidError("consists of blanks only")
    if one.kind == "number" and not re.fullmatch(r"[+-]?[0-9]+", value):
        raise ConnectionInvalidError("must be a whole number")
    if one.kind == "boolean":
        value = value.casefold()
        if value not in {"true", "false"}:
            raise ConnectionInvalidError("must be true or false")
    if one.kind == "choice" or one.choices:
        value = next((choice for choice in one.choices if choice.casefold() == value.casefold()), "")
        if not value:
            raise ConnectionInvalidError(f"must be one of: {', '.join(one.choices)}")
    return value


def _known(fields: Mapping[Key, Field]) -> str:
    return f"known: {', '.join(key for _, key in fields) or 'none'}"
