"""How variable groups are shown: everything but their secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sluice.cli.connection_view import short
from sluice.cli.output import as_time

if TYPE_CHECKING:
    from sluice.library.group import VariableGroup


def as_json(group: VariableGroup) -> dict[str, Any]:
    """A group for `--output json`; of a secret only that it is set, of a reference where it is read."""
    return {
        "id": group.id,
        "number": group.number,
        "name": group.name,
        "description": group.description,
        "version": group.version,
        "variables": dict(group.variables),
        "secrets": sorted(group.secrets),
        "references": dict(group.references),
        "createdBy": group.created_by,
        "createdOn": as_time(group.created_at),
        "modifiedBy": group.modified_by,
        "modifiedOn": as_time(group.modified_at),
    }


def as_fields(group: VariableGroup, permitted: list[str]) -> dict[str, object]:
    """What is to say of a group beside its variables, as names and values below each other."""
    fields: dict[str, object] = {"name": group.name, "id": group.id}
    if group.description:
        fields["description"] = group.description
    fields["permitted"] = ", ".join(permitted) or "no pipeline yet: the first run asks"
    fields["version"] = group.version
    fields["created"] = f"{as_time(group.created_at)} by {group.created_by}"
    fields["modified"] = f"{as_time(group.modified_at)} by {group.modified_by}"
    return fields


def as_rows(group: VariableGroup) -> list[dict[str, object]]:
    """The variables of a group as rows of a table."""
    return [{"variable": name, "value": _shown(group, name)} for name in group.names()]


def _shown(group: VariableGroup, name: str) -> str:
    if name in group.secrets:
        return "(secret, set)"
    if name in group.references:
        return f"(secret, read from {group.references[name]})"
    return short(group.variables[name])
