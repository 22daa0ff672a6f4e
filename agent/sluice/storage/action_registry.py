"""Every action of the audit log by its id, and which of them are decisions of people."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.storage import actions, people_actions
from sluice.storage.action import Action

BY_PEOPLE = frozenset(
    action.id
    for action in (
        actions.CONNECTION_CREATED,
        actions.CONNECTION_MODIFIED,
        actions.CONNECTION_FOR_PROJECT_MODIFIED,
        actions.CONNECTION_PROPERTY_CHANGED,
        actions.CONNECTION_DELETED,
        actions.CONNECTION_RESTORED,
        actions.VARIABLE_GROUP_CREATED,
        actions.VARIABLE_GROUP_MODIFIED,
        actions.VARIABLE_GROUP_DELETED,
        actions.SECURE_FILE_CREATED,
        actions.SECURE_FILE_DELETED,
        actions.AUTHORIZED_FOR_PIPELINE,
        actions.AUTHORIZED_FOR_PROJECT,
        actions.UNAUTHORIZED_FOR_PIPELINE,
        actions.UNAUTHORIZED_FOR_PROJECT,
        actions.UNTRUSTED_RUNS_CHANGED,
        actions.PIPELINE_VARIABLES_CHANGED,
        actions.PIPELINE_DELETED,
        actions.ENVIRONMENT_CHANGED,
        actions.ENVIRONMENT_DELETED,
        actions.POOL_DELETED,
        actions.STAGE_STARTED,
        actions.VALIDATION_APPROVED,
        actions.VALIDATION_REJECTED,
        actions.PERMISSION_DENIED,
        actions.CHECK_CREATED,
        actions.CHECK_UPDATED,
        actions.CHECK_DELETED,
        actions.APPROVAL_GIVEN,
        actions.APPROVAL_REFUSED,
        actions.APPROVAL_REASSIGNED,
        actions.CHECK_BYPASSED,
        actions.CHECK_RERUN,
        actions.KEY_ROTATED,
        actions.HEAD_ACCEPTED,
        actions.CONNECTION_SHARED,
        people_actions.ROLE_CHANGED,
        people_actions.ROLE_REMOVED,
        people_actions.PROJECT_CREATED,
        people_actions.PROJECT_DELETED,
        people_actions.USER_CREATED,
        people_actions.USER_CHANGED,
        people_actions.USER_DELETED,
        people_actions.GROUP_CREATED,
        people_actions.GROUP_MEMBER_ADDED,
        people_actions.GROUP_MEMBER_REMOVED,
        people_actions.GROUP_DELETED,
        people_actions.TOKEN_CREATED,
        people_actions.TOKEN_REVOKED,
        actions.TASK_INSTALLED,
        actions.TASK_REMOVED,
    )
)
"""The actions that are decisions of people: what a step of a run starts may not do them."""

ACTIONS: Mapping[str, Action] = {
    value.id: value
    for module in (actions, people_actions)
    for value in tuple(vars(module).values())
    if isinstance(value, Action)
}
"""Every action by its id."""
