"""The guard of a person with roles: reads what was given, decides purely, says what is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from sluice.authorization import roles as table
from sluice.authorization import scopes
from sluice.authorization.resources import ENDPOINT
from sluice.authorization.roles import Held, Role
from sluice.errors import NotPermittedError
from sluice.identity import assignments
from sluice.rights import OWNER_ID, Actor, Right
from sluice.storage import actions, audit, groups, people_actions, projects, role_assignments
from sluice.storage.refusals import RefusedError

if TYPE_CHECKING:
    from sluice.storage.engine import Transaction
    from sluice.storage.permissions import Resource

_SHOWN = 3
"""So many administrators are named to whoever lacks a right."""


class RoleGuard:
    """Decides by roles, and by the scopes of the access token that speaks for the person."""

    def __init__(self, actor: Actor) -> None:
        self._actor = actor

    @property
    def actor(self) -> Actor:
        return self._actor

    def require(
        self, transaction: Transaction, right: Right, resource: Resource, name: str = "", *, pipeline_id: int = 0
    ) -> None:
        """See `sluice.connections.guard.Guard`."""
        self.require_scope(scopes.scope_for(right, resource.type))
        if self._actor.administrator:
            return
        held = assignments.held(transaction, resource)
        found = self._rights(held, resource)
        if right not in found:
            raise self._refused(transaction, right, resource, name, held, pipeline_id)

    def allows(self, transaction: Transaction, right: Right, resource: Resource) -> bool:
        """See `sluice.connections.guard.Guard`."""
        self.require_scope(scopes.scope_for(right, resource.type))
        if self._actor.administrator:
            return True
        return right in self._rights(assignments.held(transaction, resource), resource)

    def seen(self, transaction: Transaction, project_id: int, resource_type: str) -> Callable[[str], bool]:
        """See `sluice.connections.guard.Guard`."""
        self.require_scope(scopes.scope_for(Right.SEE, resource_type))
        if self._actor.administrator:
            return lambda _: True
        held_of = assignments.held_of_type(transaction, project_id, resource_type)
        return lambda resource_id: Right.SEE in table.rights(self._actor.subjects, held_of(resource_id))

    def created(
        self, transaction: Transaction, resource: Resource, name: str, *, at: float, organization: bool = True
    ) -> None:
        """See `sluice.connections.guard.Guard`."""
        if self._actor.id == OWNER_ID:
            return  # administrator of everything by definition
        assignments.make_administrator(transaction, resource, self._actor, name=name, at=at)
        if resource.type == ENDPOINT and organization:
            above = role_assignments.in_organization(resource)
            assignments.make_administrator(transaction, above, self._actor, name=name, at=at)

    def require_administrator(self, what: str, scope: str = "") -> None:
        """See `sluice.connections.guard.Guard`."""
        self.require_scope(scope or scopes.FULL_ACCESS)
        if not self._actor.administrator:
            raise RefusedError(
                f"you may not {what}",
                why="that takes an administrator of the organization",
                do=f"ask the local administrator, or a member of [local]\\{groups.COLLECTION_ADMINISTRATORS}",
                event=refusal_event(self._actor, what, "organization", groups.ORGANIZATION_NAME),
            )

    def _rights(self, held: Held, resource: Resource) -> frozenset[Right]:
        if resource.id:
            return table.rights(self._actor.subjects, held)
        return table.hub_rights(self._actor.subjects, held.hub, resource.type)

    def require_scope(self, scope: str) -> None:
        """See `sluice.connections.guard.Guard`."""
        if not scopes.covers(self._actor.scopes, scope):
            raise NotPermittedError(
                "the access token does not cover this",
                why=f"it lacks the scope {scope} ({scopes.SCOPES[scope]})",
                do="use a token that has it: 'sluice token create --scope ...'",
            )

    def _refused(
        self, transaction: Transaction, right: Right, resource: Resource, name: str, held: Held, pipeline_id: int
    ) -> NotPermittedError:
        here = table.in_force(held.hub, held.own if resource.id else table.Assignments())
        what, why = table.refusal(right, resource.type, name, table.highest(self._actor.subjects, here))
        above = held.organization.roles
        known = above if table.is_of_organization(right, resource.type) else {one: here[one].role for one in here}
        do = _who_can(transaction, known)
        return RefusedError(
            what, why=why, do=do, event=_event(transaction, self._actor, right, resource, name, pipeline_id)
        )


def _who_can(transaction: Transaction, known: Mapping[str, Role]) -> str:
    administrators = [subject for subject, role in known.items() if role is Role.ADMINISTRATOR]
    names = assignments.names_of(transaction, administrators[:_SHOWN])
    return f"ask one of its administrators: {', '.join(names)}" if names else "ask the local administrator"


def _event(
    transaction: Transaction, actor: Actor, right: Right, resource: Resource, name: str, pipeline_id: int
) -> audit.Event:
    action = {
        Right.PERMIT: actions.NOT_AUTHORIZED_FOR_PIPELINE,
        Right.OPEN_ACCESS: actions.NOT_AUTHORIZED_FOR_PROJECT,
    }.get(right, people_actions.ACTION_REFUSED)
    kind = resource.type if resource.id else f"{resource.type} in project"
    shown = name if resource.id else projects.get(transaction, resource.project_id).name
    event = refusal_event(actor, str(right), kind, shown)
    details = {**event.details, "ResourceId": resource.id}
    if right is Right.PERMIT:
        details["PipelineId"] = pipeline_id
    witness = role_assignments.witness_of(resource)
    return replace(event, action=action, project_id=resource.project_id, resource_id=witness, details=details)


def refusal_event(actor: Actor, what: str, kind: str, name: str) -> audit.Event:
    """That a person was refused something, for the audit log."""
    details = {
        "Right": what,
        "ResourceType": kind,
        "ResourceName": name,
        "SubjectName": actor.name,
        "SubjectDescriptor": actor.id,
    }
    return audit.Event(action=people_actions.ACTION_REFUSED, actor=actor.name, at=time.time(), details=details)
