"""Configurations of checks between the forms of the interface and ours.

What the service calls task checks has its settings below `inputs`; approvals, templates and locks have forms of their
own. People are ids there and names here; the store keeps the ids beside the names.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sluice.authorization.checks.approval import APPROVER_IDS, names_in
from sluice.authorization.checks.kinds import APPROVAL, EXCLUSIVE_LOCK
from sluice.hooks.checks import TASK_CHECK
from sluice.runs.check_configuring import Entered
from sluice.runs.checking import LINKED_GROUP
from sluice.secret import Secret
from sluice.server.problems import bad_argument
from sluice.server.rest.bodies import MAX_NUMBER, Body, choice
from sluice.storage import groups, people

if TYPE_CHECKING:
    from sluice.authorization.checks.kinds import Kinds
    from sluice.hooks.checks import CheckType
    from sluice.storage.check_configurations import ConfigurationRow
    from sluice.storage.engine import Transaction
    from sluice.storage.projects import Project

_WHEN = {
    "main": "26014962-64a0-49f4-885b-4b874119a5cc",
    "preChecks": "0f52a19b-c67e-468f-b8eb-0ae83b532c99",
    "postChecks": "06441319-13fb-4756-b198-c2da116894a4",
}
"""The definitions of approvals, by when they are asked."""

_WHEN_BY_ID = {identity: when for when, identity in _WHEN.items()}
_TEMPLATES = "extendsChecks"
_ORDERS = ("", "anyOrder", "inSequence")


class TypeBody(Body):
    """What kind of check it is."""

    id: str | None = None
    name: str | None = None


class ResourceBody(Body):
    """What the check is on."""

    type: str | None = None
    id: str | None = None
    name: str | None = None


class CheckBody(Body):
    """The configuration of a check, whole."""

    type: TypeBody | None = None
    resource: ResourceBody | None = None
    settings: dict[str, Any] | None = None
    timeout: int | None = None
    isDisabled: bool | None = None


def kind_of(kinds: Kinds, body: CheckBody) -> CheckType:
    """The kind of check that is meant: by its type, and a task check by its definition."""
    type_id = ((body.type.id if body.type else None) or "").strip().casefold()
    type_name = ((body.type.name if body.type else None) or "").strip().casefold()
    definition = _reference(body.settings or {})
    for kind in kinds:
        if type_id == TASK_CHECK or (not type_id and type_name == "task check"):
            if kind.definition_id and kind.definition_id == definition.get("id", "").casefold():
                return kind
            if kind.definition_name and kind.definition_name.casefold() == definition.get("name", "").casefold():
                return kind
        elif kind.type_id != TASK_CHECK and (
            type_id == kind.type_id or (not type_id and type_name == kind.type_name.casefold())
        ):
            return kind
    raise bad_argument("there is no such kind of check: see type.id, and settings.definitionRef.id of a task check")


def entered(
    transaction: Transaction, home: Project, kind: CheckType, body: CheckBody, *, before: ConfigurationRow | None = None
) -> Entered:
    """What is entered of a check; raises `Problem` for what cannot be read."""
    given = body.settings or {}
    timeout = body.timeout
    if timeout is not None and not 0 <= timeout <= MAX_NUMBER:
        raise bad_argument("'timeout' is a number of minutes")
    if kind is APPROVAL:
        return Entered(settings=_approval(transaction, home, given), timeout=timeout)
    if kind is EXCLUSIVE_LOCK:
        return Entered(timeout=timeout)
    if kind.type_id != TASK_CHECK:
        inputs: Mapping[str, Any] = {_TEMPLATES: given.get(_TEMPLATES, [])}
    else:
        inputs = given.get("inputs") or {}
        if not isinstance(inputs, Mapping):
            raise bad_argument("'settings.inputs' is an object of texts")
        if linked := given.get("linkedVariableGroup"):
            inputs = {**inputs, LINKED_GROUP: linked}
    settings: dict[str, str] = {}
    secrets: dict[str, Secret] = {}
    for name, value in inputs.items():
        declared = kind.field(str(name))
        if value is None or (declared is None and not value):
            continue
        text = value if isinstance(value, str) else json.dumps(value)
        if declared is not None and declared.secret:
            if text:
                secrets[declared.key] = Secret(text)
        else:
            settings[str(name)] = text
    gone = [key for key in before.settings if key not in settings and kind.field(key)] if before else []
    interval = given.get("retryInterval")
    return Entered(
        settings=settings,
        secrets=secrets,
        unset=tuple(gone),
        timeout=timeout,
        retry_interval=interval if isinstance(interval, int) and not isinstance(interval, bool) else None,
    )


def settings_view(transaction: Transaction, kind: CheckType | None, row: ConfigurationRow) -> dict[str, Any]:
    """The settings of a stored check; the values of its secrets are not there."""
    if kind is APPROVAL:
        return _approval_view(transaction, row)
    if kind is None or kind is EXCLUSIVE_LOCK:
        return {}
    if kind.type_id != TASK_CHECK:
        return {_TEMPLATES: _templates(row.settings.get(_TEMPLATES, ""))}
    inputs = {key: value for key, value in row.settings.items() if key != LINKED_GROUP}
    return {
        "displayName": kind.label,
        "definitionRef": {"id": kind.definition_id, "name": kind.definition_name, "version": kind.definition_version},
        "inputs": {**inputs, **dict.fromkeys(row.secret_names)},
        "retryInterval": row.retry_interval,
        "linkedVariableGroup": row.settings.get(LINKED_GROUP),
    }


def _reference(settings: Mapping[str, Any]) -> dict[str, str]:
    found = settings.get("definitionRef") or {}
    return {key: str(value) for key, value in found.items()} if isinstance(found, Mapping) else {}


def _approval(transaction: Transaction, home: Project, given: Mapping[str, Any]) -> dict[str, str]:
    definition = _reference(given).get("id", "").casefold()
    order = choice(given.get("executionOrder"), _ORDERS)
    found = {
        "approvers": ",".join(_people(transaction, home, given.get("approvers"))),
        "blockedApprovers": ",".join(_people(transaction, home, given.get("blockedApprovers"))),
        "executionOrder": order or "anyOrder",
        "minRequiredApprovers": str(given.get("minRequiredApprovers") or 0),
        "requesterCannotBeApprover": str(bool(given.get("requesterCannotBeApprover"))).lower(),
        "instructions": str(given.get("instructions") or ""),
        "when": _WHEN_BY_ID.get(definition, "main"),
    }
    return {key: value for key, value in found.items() if value}


def _people(transaction: Transaction, home: Project, given: Any) -> list[str]:
    """The names of users and groups that are given by id, or by name."""
    if not isinstance(given, list):
        return []
    names = []
    for one in given:
        text = str(
            (one.get("id") or one.get("uniqueName") or one.get("displayName") or "")
            if isinstance(one, Mapping)
            else one
        )
        user = people.find(transaction, text)
        group = None if user else groups.find(transaction, home, text)
        if user is None and group is None:
            raise bad_argument(f"there is no user and no group '{text[:80]}'")
        names.append(user.name if user else group.full_name if group else "")
    return names


def _approval_view(transaction: Transaction, row: ConfigurationRow) -> dict[str, Any]:
    settings = row.settings
    names = names_in(settings.get("approvers", ""))
    ids = [one for one in settings.get(APPROVER_IDS, "").split(",") if one] or [""] * len(names)
    when = settings.get("when", "main")
    return {
        "approvers": [{"displayName": name, "id": identity} for name, identity in zip(names, ids, strict=False)],
        "executionOrder": settings.get("executionOrder", "anyOrder"),
        "minRequiredApprovers": int(settings.get("minRequiredApprovers", "0") or 0),
        "instructions": settings.get("instructions", ""),
        "blockedApprovers": [
            {"displayName": name, "id": user.id if (user := people.find(transaction, name)) else ""}
            for name in names_in(settings.get("blockedApprovers", ""))
        ],
        "requesterCannotBeApprover": settings.get("requesterCannotBeApprover", "false") == "true",
        "definitionRef": {"id": _WHEN.get(when, _WHEN["main"])},
    }


def _templates(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return []
