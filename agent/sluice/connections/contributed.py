"""Connection types that installed extensions contribute (`ms.vss-endpoint.service-endpoint-type`)."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import Any

from sluice.errors import StorageError
from sluice.hooks.declaration import ConnectionType, Field, FieldKind, Scheme, Url
from sluice.storage.home import Home
from sluice.values import dataclass

FOLDER = "extensions"
TEST = "testconnection"
"""The data source that tries a connection, in lower case."""

_SCHEMES = {
    "ms.vss-endpoint.endpoint-auth-scheme-basic": ("UsernamePassword", "Basic Authentication"),
    "ms.vss-endpoint.endpoint-auth-scheme-token": ("Token", "Token Based Authentication"),
    "ms.vss-endpoint.endpoint-auth-scheme-cert": ("Certificate", "Certificate Based"),
    "ms.vss-endpoint.endpoint-auth-scheme-none": ("None", "No Authentication"),
    "ms.vss-endpoint.endpoint-auth-scheme-oauth2": ("OAuth2", "Grant authorization"),
    "ms.vss-endpoint.endpoint-auth-scheme-kubernetes": ("Kubernetes", "Kubernetes"),
    "ms.vss-endpoint.endpoint-auth-scheme-workload-identity-federation": (
        "WorkloadIdentityFederation",
        "Workload Identity federation",
    ),
    "ms.vss-endpoint.endpoint-auth-scheme-managed-service-identity": (
        "ManagedServiceIdentity",
        "Managed Identity Authentication",
    ),
}
_BASE_FIELDS = {
    "UsernamePassword": (
        Field("username", "Username"),
        Field("password", "Password", secret=True),
    ),
    "Token": (Field("apitoken", "API Token", secret=True, required=True),),
    "Certificate": (Field("certificate", "Certificate", secret=True, required=True, kind="multiline"),),
}
_DEFAULT_HEADERS = {
    "UsernamePassword": (("Authorization", 'Basic {{ #base64 endpoint.username ":" endpoint.password }}'),),
    "Token": (("Authorization", "{{endpoint.apitoken}}"),),
}
_KINDS: Mapping[str, FieldKind] = {
    "textarea": "multiline",
    "checkbox": "boolean",
    "combo": "choice",
    "radiobuttons": "choice",
}
_PLACEHOLDER = re.compile(r"\{\{\{?\s*(?:endpoint\.)?([A-Za-z0-9_.\-]+)\s*\}?\}\}")
_NAMED = re.compile(r"endpoint\.([A-Za-z0-9_.\-]+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """How to try a connection of a type: the URL and the headers of one request, as templates."""

    url: str
    headers: tuple[tuple[str, str], ...] = ()
    verb: str = "GET"
    scheme_headers: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contributed:
    """A connection type of an extension, and how connections of it are tried (None: they cannot be)."""

    type: ConnectionType
    extension: str
    test: Try | None = None


def installed_types(home: Home | None = None) -> Mapping[str, Contributed]:
    """Those of all installed extensions, by casefolded name; of two with one name the first extension's counts."""
    folder = (home or Home.find()).root / FOLDER
    try:
        changed = folder.stat().st_mtime_ns
    except OSError:
        return {}
    return _read_all(folder, changed)


def read_type(properties: Mapping[str, Any], extension: str) -> Contributed | None:
    """The type that a contribution's properties describe; None when they name none."""
    name = _text(properties, "name")
    if not name:
        return None
    sources = _objects(properties, "dataSources")
    test = next((one for one in sources if _text(one, "name").lower() == TEST), None)
    addresses = {key.lower() for one in sources for key in _NAMED.findall(_text(one, "endpointUrl"))}
    written = _objects(properties, "authenticationSchemes")
    schemes = tuple(_scheme(one, addresses) for one in written)
    headers = {
        scheme.name: _headers(one) or _DEFAULT_HEADERS.get(scheme.name, ())
        for scheme, one in zip(schemes, written, strict=True)
    }
    kind = ConnectionType(
        name,
        _text(properties, "displayName") or name,
        summary=f"From the extension {extension}.",
        url=_url(properties),
        schemes=schemes,
        data=_fields(properties, addresses),
    )
    source = None
    if test is not None and _text(test, "endpointUrl"):
        source = Try(
            url=_text(test, "endpointUrl"),
            headers=_headers(test),
            verb=_text(test, "requestVerb").upper() or "GET",
            scheme_headers=headers,
        )
    return Contributed(type=kind, extension=extension, test=source)


def _scheme(written: Mapping[str, Any], addresses: set[str]) -> Scheme:
    kind = _text(written, "type")
    name, label = _SCHEMES.get(kind.lower(), (kind.rpartition("-")[2] or kind, ""))
    fields = _fields(written, addresses)
    known = {one.key.lower() for one in fields}
    base = tuple(one for one in _BASE_FIELDS.get(name, ()) if one.key.lower() not in known)
    return Scheme(name, _text(written, "displayName") or label or name, (*base, *fields))


def _fields(values: Mapping[str, Any], addresses: set[str]) -> tuple[Field, ...]:
    return tuple(_field(one, addresses) for one in _objects(values, "inputDescriptors") if _text(one, "id"))


def _field(one: Mapping[str, Any], addresses: set[str]) -> Field:
    key = _text(one, "id")
    validation = _object(one, "validation")
    values = _object(one, "values")
    mode = _text(one, "inputMode").lower()
    choices = tuple(_text(value, "value") for value in _objects(values, "possibleValues"))
    kind = _KINDS.get(mode, "text")
    if kind == "choice" and not choices:
        kind = "text"
    return Field(
        key,
        _text(one, "name") or key,
        secret=_flag(one, "isConfidential") or mode == "passwordbox",
        required=_flag(validation, "isRequired"),
        help=_text(one, "description"),
        default=_text(values, "defaultValue"),
        kind=kind,
        choices=choices if kind == "choice" else (),
        validation=_pattern(_text(validation, "pattern")),
        address=key.lower() in addresses,
    )


def _pattern(written: str) -> str:
    """A pattern that we can apply as well; the service's own are of another dialect."""
    try:
        re.compile(written)
    except re.error:
        return ""
    return written


def _url(properties: Mapping[str, Any]) -> Url:
    url = _object(properties, "url")
    default = _text(url, "value")
    visible = _text(url, "isVisible").lower() != "false"
    if not visible and default:
        return Url(entered=False, template=_PLACEHOLDER.sub(r"{\1}", default))
    return Url(
        label=_text(url, "displayName") or "Server URL",
        help=_text(url, "helpText"),
        required=_text(url, "required").lower() != "false" and not default and visible,
        default=default,
        schemes=(),
    )


def _headers(values: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple((_text(one, "name"), _text(one, "value")) for one in _objects(values, "headers") if _text(one, "name"))


@cache
def _read_all(folder: Path, changed: int) -> Mapping[str, Contributed]:
    del changed  # an installation changes the folder: then it is read anew
    found: dict[str, Contributed] = {}
    for path in sorted(folder.glob("*.json")):
        for one in _read(path):
            found.setdefault(one.type.name.casefold(), one)
    return found


def _read(path: Path) -> Iterator[Contributed]:
    try:
        stored = json.loads(path.read_bytes())
        extension = str(stored["name"])
        types: Sequence[Mapping[str, Any]] = stored["types"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StorageError("an installed extension cannot be read", where=str(path), why=str(error)) from error
    for properties in types:
        if (one := read_type(properties, extension)) is not None:
            yield one


def _get(values: Mapping[str, Any], name: str) -> Any:
    wanted = name.lower()
    return next((value for key, value in values.items() if key.lower() == wanted), None)


def _text(values: Mapping[str, Any], name: str) -> str:
    value = _get(values, name)
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip() if isinstance(value, str | int | float) else ""


def _flag(values: Mapping[str, Any], name: str) -> bool:
    return _text(values, name).lower() == "true"


def _object(values: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = _get(values, name)
    return value if isinstance(value, dict) else {}


def _objects(values: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    value = _get(values, name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
