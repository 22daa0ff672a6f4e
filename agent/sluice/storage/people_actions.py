"""What the audit log records of people: their roles, projects, groups and access tokens."""

from __future__ import annotations

from sluice.storage.action import Action

ROLE_CHANGED = Action(
    "Security.ModifyPermission",
    "Permissions",
    "Modify",
    'Permission "{NamespaceName}\\{ChangedPermission}" was set to {PermissionModifiedTo} for {SubjectName}',
)
ROLE_REMOVED = Action(
    "Security.RemovePermission",
    "Permissions",
    "Remove",
    'Permission "{NamespaceName}\\{ChangedPermission}" was removed for {SubjectName}',
)
ACTION_REFUSED = Action(
    "Sluice.ActionRefused",
    "Permissions",
    "Access",
    'Refused to {SubjectName}: {Right} ({ResourceType} "{ResourceName}").',
)
PROJECT_CREATED = Action(
    "Project.CreateCompleted", "Project", "Create", "{ProjectName} project was created successfully"
)
PROJECT_DELETED = Action("Project.SoftDeleteCompleted", "Project", "Remove", "Project {ProjectName} was deleted")
USER_CREATED = Action("Sluice.UserCreated", "Permissions", "Create", "Created user {UserName}.")
USER_CHANGED = Action("Sluice.UserChanged", "Permissions", "Modify", "User {UserName} was {Change}.")
USER_DELETED = Action("Sluice.UserDeleted", "Permissions", "Remove", "Deleted user {UserName}.")
GROUP_CREATED = Action("Group.CreateGroups", "Group", "Create", "Created group {GroupName}.")
GROUP_MEMBER_ADDED = Action(
    "Group.UpdateGroupMembership.Add", "Group", "Modify", "{MemberName} was added as a member of group {GroupName}"
)
GROUP_MEMBER_REMOVED = Action(
    "Group.UpdateGroupMembership.Remove", "Group", "Modify", "{MemberName} was removed as a member of group {GroupName}"
)
GROUP_DELETED = Action("Sluice.GroupDeleted", "Group", "Remove", "Deleted group {GroupName}.")
TOKEN_CREATED = Action(
    "Token.PatCreateEvent", "Token", "Create", 'Personal access token "{TokenName}" of {UserName} was created.'
)
TOKEN_REVOKED = Action(
    "Token.PatRevokeEvent", "Token", "Remove", 'Personal access token "{TokenName}" of {UserName} was revoked.'
)
TOKEN_USED = Action(
    "Sluice.TokenUsed", "Token", "Access", '{UserName} signed in with the access token "{TokenName}" ({Prefix}...).'
)
TOKEN_REFUSED = Action(
    "Sluice.TokenRefused",
    "Token",
    "Access",
    'Refused the access token "{TokenName}" ({Prefix}...) of {UserName}: {Reason}.',
)
SIGNED_IN = Action("Sluice.SignedIn", "Token", "Access", "{UserName} signed in to the web pages ({Method}).")
SIGNED_OUT = Action("Sluice.SignedOut", "Token", "Access", "{UserName} signed out of the web pages.")
