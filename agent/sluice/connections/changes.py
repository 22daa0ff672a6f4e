"""What is to be stored of a new connection or of an update. Pure: from what was entered to what fits the type."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.connections.catalogue import choose_scheme, fields_of
from sluice.connections.connection import ConnectionRecord, Draft, Key, Update
from sluice.connections.references import check_reference
from sluice.connections.validation import Entered, Fitted, fit, place
from sluice.errors import ConnectionInvalidError
from sluice.values import dataclass

if TYPE_CHECKING:
    from sluice.connections.references import Sources
    from sluice.hooks.declaration import ConnectionType, Field


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """A connection's values after an update.

    `moved` is true when the far side may be another one now: then `dropped` are the secrets that were given for the
    old one. `changed` names what differs, '' never among it.
    """

    fitted: Fitted
    moved: bool
    dropped: frozenset[Key]
    changed: tuple[str, ...]


def fit_draft(kind: ConnectionType, draft: Draft, sources: Sources = None) -> Fitted:
    """Check a new connection; raises `ConnectionInvalidError`, or `UsageError` for a secret in plain sight."""
    scheme = choose_scheme(kind, draft.scheme)
    entered = place(fields_of(kind, scheme), kind.name, draft.values, draft.secrets, draft.references)
    _check_references(entered, sources)
    return fit(kind, draft.scheme, draft.url, entered)


def merge(kind: ConnectionType, record: ConnectionRecord, update: Update, sources: Sources = None) -> Merged:
    """Apply an update to a connection; raises as `fit_draft` does.

    When the address changes, secrets that are not entered again are dropped, and so is what the product found out
    about the old far side.
    """
    scheme = choose_scheme(kind, update.scheme if update.scheme is not None else record.scheme)
    fields = fields_of(kind, scheme)
    entered = place(fields, kind.name, update.values, update.secrets, update.references)
    _check_references(entered, sources)
    url = update.url if update.url is not None else (record.url if kind.url.entered else "")
    scheme_name = scheme.name if scheme else ""
    present = record.secrets | frozenset(record.references)
    again = frozenset(entered.secrets) | frozenset(entered.references)
    everything = _combined(record, fields, entered, kept=frozenset(key for key in present if key in fields) - again)
    fitted = fit(kind, scheme_name, url, everything)
    moved = _moved(record, fields, fitted)
    if moved:
        fitted = _fit_moved(kind, scheme_name, url, _combined(record, fields, entered, kept=frozenset()), entered)
    left = fitted.entered.kept | frozenset(fitted.entered.references)
    dropped = present - left - again
    return Merged(fitted=fitted, moved=moved, dropped=dropped, changed=_changed(record, fitted, entered, dropped))


def _fit_moved(kind: ConnectionType, scheme: str, url: str, combined: Entered, entered: Entered) -> Fitted:
    fields = fields_of(kind, kind.scheme(scheme))
    values = {
        key: value
        for key, value in combined.values.items()
        if key in entered.values or key not in fields or not fields[key].generated
    }
    try:
        return fit(kind, scheme, url, replace(combined, values=values))
    except ConnectionInvalidError as error:
        raise ConnectionInvalidError(
            error.what,
            why="the address changes, and stored secrets are not sent to another address than they were given for",
            do="enter them again in the same update",
        ) from error


def _combined(
    record: ConnectionRecord, fields: Mapping[Key, Field], entered: Entered, *, kept: frozenset[Key]
) -> Entered:
    """What is stored and stays, with what was entered on top; data that the type doesn't know stays as it is."""
    values = {key: value for key, value in record.values().items() if key in fields or key[0] == "data"}
    values.update(entered.values)
    references = {key: value for key, value in record.references.items() if key in kept}
    references.update(entered.references)
    return Entered(values=values, secrets=entered.secrets, references=references, kept=kept & record.secrets)


def _moved(record: ConnectionRecord, fields: Mapping[Key, Field], fitted: Fitted) -> bool:
    if fitted.url != record.url:
        return True
    before, after = record.values(), fitted.entered.values
    return any(
        before.get(key, field.default) != after.get(key, field.default)
        for key, field in fields.items()
        if field.address or field.kind == "connection"
    )


def _changed(record: ConnectionRecord, fitted: Fitted, entered: Entered, dropped: frozenset[Key]) -> tuple[str, ...]:
    before, after = record.values(), fitted.entered.values
    names = [key[1] for key in {**before, **after} if before.get(key) != after.get(key)]
    # a secret that is entered counts as changed: to compare it with the stored one would confirm guesses
    names.extend(key[1] for key in entered.secrets)
    names.extend(key[1] for key, value in fitted.entered.references.items() if record.references.get(key) != value)
    names.extend(key[1] for key in dropped)
    if fitted.url != record.url:
        names.insert(0, "url")
    if fitted.scheme != record.scheme:
        names.insert(0, "scheme")
    return tuple(dict.fromkeys(names))


def _check_references(entered: Entered, sources: Sources) -> None:
    for key, reference in entered.references.items():
        try:
            check_reference(reference, sources)
        except ConnectionInvalidError as error:
            raise ConnectionInvalidError(f"'{key[1]}': {error.what}", do=error.do) from error
