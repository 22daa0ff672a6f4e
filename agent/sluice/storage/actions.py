"""What the audit log records: the action ids of Azure DevOps where it has one, ours (`Sluice.*`) where it has none."""

from __future__ import annotations

from sluice.storage.action import Action

CONNECTION_CREATED = Action(
    "Library.ServiceConnectionCreated",
    "Library",
    "Create",
    'Created Service Connection "{ConnectionName}" of type {ConnectionType}.',
)
CONNECTION_MODIFIED = Action(
    "Library.ServiceConnectionModified",
    "Library",
    "Modify",
    'Modified Service Connection "{ConnectionName}" of type {ConnectionType}.',
)
CONNECTION_FOR_PROJECT_MODIFIED = Action(
    "Library.ServiceConnectionForProjectModified",
    "Library",
    "Modify",
    'Modified Service Connection "{ConnectionName}" in project {ProjectName}.',
)
CONNECTION_PROPERTY_CHANGED = Action(
    "Library.ServiceConnectionPropertyChanged",
    "Library",
    "Modify",
    'One or more properties of Service Connection "{ConnectionName}" were changed: IsDisabled = {IsDisabled}.',
)
CONNECTION_DELETED = Action(
    "Library.ServiceConnectionDeleted",
    "Library",
    "Remove",
    'Deleted Service Connection "{ConnectionName}" of type {ConnectionType} from project {ProjectName}.',
)
CONNECTION_RENEWED = Action(
    "Sluice.ServiceConnectionTokensRenewed",
    "Library",
    "Modify",
    'Renewed tokens of Service Connection "{ConnectionName}" of type {ConnectionType}.',
)
CONNECTION_RESTORED = Action(
    "Sluice.ServiceConnectionRestored",
    "Library",
    "Create",
    'Restored Service Connection "{ConnectionName}" of type {ConnectionType} in project {ProjectName}.',
)
CONNECTION_PURGED = Action(
    "Sluice.ServiceConnectionPurged",
    "Library",
    "Remove",
    'Forgot the deleted Service Connection "{ConnectionName}" of type {ConnectionType}.',
)
CONNECTION_EXECUTED = Action(
    "Library.ServiceConnectionExecuted",
    "Library",
    "Execute",
    'Service Connection "{ConnectionName}" of type {ConnectionType} executed in project {ProjectName}.',
)
VARIABLE_GROUP_CREATED = Action(
    "Library.VariableGroupCreated",
    "Library",
    "Create",
    'Created Variable Group "{VariableGroupName}" in project {ProjectName}.',
)
VARIABLE_GROUP_MODIFIED = Action(
    "Library.VariableGroupModified",
    "Library",
    "Modify",
    'Modified Variable Group "{VariableGroupName}" in project {ProjectName}.',
)
VARIABLE_GROUP_DELETED = Action(
    "Library.VariableGroupDeleted",
    "Library",
    "Remove",
    'Deleted Variable Group "{VariableGroupName}" in project {ProjectName}.',
)
VARIABLE_GROUP_OPENED = Action(
    "Sluice.VariableGroupOpened",
    "Library",
    "Execute",
    'Variable Group "{VariableGroupName}" opened for job {JobName} of run {RunId} in project {ProjectName}.',
)
SECURE_FILE_CREATED = Action(
    "Sluice.SecureFileCreated",
    "Library",
    "Create",
    'Uploaded Secure File "{SecureFileName}" to project {ProjectName}.',
)
SECURE_FILE_DELETED = Action(
    "Sluice.SecureFileDeleted",
    "Library",
    "Remove",
    'Deleted Secure File "{SecureFileName}" from project {ProjectName}.',
)
SECURE_FILE_OPENED = Action(
    "Sluice.SecureFileOpened",
    "Library",
    "Execute",
    'Secure File "{SecureFileName}" given to task {TaskName} of run {RunId} in project {ProjectName}.',
)
AUTHORIZED_FOR_PIPELINE = Action(
    "Pipelines.ResourceAuthorizedForPipeline",
    "Pipelines",
    "Modify",
    "Successfully authorized {ResourceType} resource {ResourceId} for pipeline id {PipelineId}",
)
NOT_AUTHORIZED_FOR_PIPELINE = Action(
    "Pipelines.ResourceNotAuthorizedForPipeline",
    "Pipelines",
    "Modify",
    "Did not authorize {ResourceType} resource {ResourceId} for pipeline id {PipelineId}. "
    "The resource doesn't exist or the user doesn't have permission",
)
UNAUTHORIZED_FOR_PIPELINE = Action(
    "Pipelines.ResourceUnauthorizedForPipeline",
    "Pipelines",
    "Modify",
    "Successfully unauthorized {ResourceType} resource {ResourceId} for pipeline id {PipelineId}",
)
AUTHORIZED_FOR_PROJECT = Action(
    "Pipelines.ResourceAuthorizedForProject",
    "Pipelines",
    "Modify",
    "Successfully authorized {ResourceType} resource {ResourceId} for the project",
)
UNAUTHORIZED_FOR_PROJECT = Action(
    "Pipelines.ResourceUnauthorizedForProject",
    "Pipelines",
    "Modify",
    "Successfully unauthorized {ResourceType} resource {ResourceId} for the project",
)
UNTRUSTED_RUNS_CHANGED = Action(
    "Sluice.UntrustedRunsChanged",
    "Pipelines",
    "Modify",
    'Untrusted runs that may use {ResourceType} "{ResourceName}": {Allowed}.',
)
NOT_AUTHORIZED_FOR_PROJECT = Action(
    "Pipelines.ResourceNotAuthorizedForProject",
    "Pipelines",
    "Modify",
    "Did not authorize {ResourceType} resource {ResourceId} for the project. "
    "The resource doesn't exist or the user doesn't have permission",
)
PERMIT_VOID = Action(
    "Sluice.PermitVoid",
    "Pipelines",
    "Remove",
    "Removed a permit of {ResourceType} resource {ResourceId} for pipeline id {PipelineId} that was written into the "
    "database by hand",
)
HEAD_ACCEPTED = Action(
    "Sluice.AuditHeadAccepted",
    "Auditing",
    "Modify",
    "Accepted the database as it is: its audit log ended at {Head}, noted was {Noted}.",
)
COMMAND_REFUSED = Action(
    "Sluice.CommandRefused",
    "Pipelines",
    "Access",
    'Refused "{Command}" to a step of a run (process {Driver} runs it).',
)
PIPELINE_CREATED = Action(
    "Pipelines.PipelineCreated",
    "Pipelines",
    "Create",
    'Created pipeline "{PipelineName}" in project {ProjectName}.',
)
PIPELINE_DELETED = Action(
    "Pipelines.PipelineDeleted",
    "Pipelines",
    "Remove",
    'Deleted pipeline "{PipelineName}" in project {ProjectName}.',
)
PIPELINE_VARIABLES_CHANGED = Action(
    "Sluice.PipelineVariablesChanged",
    "Pipelines",
    "Modify",
    'Changed variables of pipeline "{PipelineName}" in project {ProjectName}.',
)
PIPELINE_SECRETS_OPENED = Action(
    "Sluice.PipelineSecretsOpened",
    "Pipelines",
    "Execute",
    'Secret variables of pipeline "{PipelineName}" opened for run {RunId} in project {ProjectName}.',
)
RUN_SECRETS_OPENED = Action(
    "Sluice.RunSecretsOpened",
    "Pipelines",
    "Execute",
    'Secret variables of run {RunId} of pipeline "{PipelineName}" opened for a job that starts.',
)
ENVIRONMENT_CREATED = Action(
    "Sluice.EnvironmentCreated",
    "Pipelines",
    "Create",
    'Created environment "{EnvironmentName}" in project {ProjectName}.',
)
ENVIRONMENT_CHANGED = Action(
    "Sluice.EnvironmentChanged",
    "Pipelines",
    "Modify",
    'Changed environment "{EnvironmentName}" in project {ProjectName}: {Change}.',
)
ENVIRONMENT_DELETED = Action(
    "Sluice.EnvironmentDeleted",
    "Pipelines",
    "Remove",
    'Deleted environment "{EnvironmentName}" from project {ProjectName}.',
)
POOL_CREATED = Action(
    "Sluice.PoolCreated",
    "Pipelines",
    "Create",
    'Created agent pool "{PoolName}" in project {ProjectName}.',
)
POOL_DELETED = Action(
    "Sluice.PoolDeleted",
    "Pipelines",
    "Remove",
    'Deleted agent pool "{PoolName}" from project {ProjectName}.',
)
DEPLOYMENT_COMPLETED = Action(
    "Pipelines.DeploymentJobCompleted",
    "Pipelines",
    "Execute",
    'Deployment for run "{RunName}" on pipeline "{PipelineName}" to environment "{EnvironmentName}" {DeploymentResult}',
)
PERMISSION_REQUESTED = Action(
    "Sluice.PermissionRequested",
    "Pipelines",
    "Access",
    'Stage {StageName} of run {RunId} asks to use {ResourceType} "{ResourceName}" for pipeline "{PipelineName}".',
)
STAGE_STARTED = Action(
    "Sluice.StageStarted",
    "Pipelines",
    "Execute",
    'Started stage {StageName} of run {RunId} of pipeline "{PipelineName}" by hand.',
)
STEP_WAITS = Action(
    "Sluice.StepWaits",
    "Pipelines",
    "Access",
    'A step of stage {StageName} of run {RunId} of pipeline "{PipelineName}" waits: {ResourceType} "{ResourceName}".',
)
VALIDATION_APPROVED = Action(
    "Sluice.ManualValidationApproved",
    "Pipelines",
    "Modify",
    'Resumed "{ResourceName}" in stage {StageName} of run {RunId} of pipeline "{PipelineName}": {Comment}',
)
VALIDATION_REJECTED = Action(
    "Sluice.ManualValidationRejected",
    "Pipelines",
    "Modify",
    'Rejected "{ResourceName}" in stage {StageName} of run {RunId} of pipeline "{PipelineName}": {Comment}',
)
PERMISSION_DENIED = Action(
    "Sluice.PermissionDenied",
    "Pipelines",
    "Access",
    'Denied {ResourceType} "{ResourceName}" to stage {StageName} of run {RunId} of pipeline "{PipelineName}".',
)
ACCESS_REFUSED = Action(
    "Sluice.AccessRefused",
    "Pipelines",
    "Access",
    'Refused {ResourceType} "{ResourceName}" to run {RunId} of pipeline "{PipelineName}": {Reason}.',
)
CHECK_CREATED = Action(
    "CheckConfiguration.Created",
    "Checks",
    "Create",
    "{Kind} check has been added to {ResourceType} {ResourceName}",
)
CHECK_UPDATED = Action(
    "CheckConfiguration.Updated",
    "Checks",
    "Modify",
    "{Kind} check has been updated for {ResourceType} {ResourceName}",
)
CHECK_DELETED = Action(
    "CheckConfiguration.Deleted",
    "Checks",
    "Remove",
    "{Kind} check has been removed from {ResourceType} {ResourceName}",
)
CHECKS_COMPLETED = Action(
    "CheckSuite.Completed",
    "Checks",
    "Execute",
    "Checks on stage {StageName} of run #{RunName} of pipeline {PipelineName} in Project {ProjectName} have been "
    "{CheckSuiteStatus}",
)
CHECK_REQUESTED = Action(
    "Sluice.CheckRequested",
    "Checks",
    "Access",
    'Stage {StageName} of run {RunId} of pipeline "{PipelineName}" waits for: {Check}.',
)
APPROVAL_GIVEN = Action(
    "Sluice.ApprovalApproved",
    "Checks",
    "Execute",
    'Approved {ResourceType} "{ResourceName}" for stage {StageName} of run {RunId} of pipeline "{PipelineName}".',
)
APPROVAL_REFUSED = Action(
    "Sluice.ApprovalRejected",
    "Checks",
    "Execute",
    'Rejected {ResourceType} "{ResourceName}" for stage {StageName} of run {RunId} of pipeline "{PipelineName}".',
)
APPROVAL_REASSIGNED = Action(
    "Sluice.ApprovalReassigned",
    "Checks",
    "Modify",
    'Gave the approval of {ResourceType} "{ResourceName}" for stage {StageName} of run {RunId} of {Approver} to {To}.',
)
CHECK_BYPASSED = Action(
    "Sluice.CheckBypassed",
    "Checks",
    "Execute",
    'Bypassed {Kind} check on {ResourceType} "{ResourceName}" for stage {StageName} of run {RunId} of pipeline "{PipelineName}".',
)
CHECK_RERUN = Action(
    "Sluice.CheckRerun",
    "Checks",
    "Execute",
    'Reran {Kind} check on {ResourceType} "{ResourceName}" for stage {StageName} of run {RunId} of pipeline "{PipelineName}".',
)
CHECK_ANSWERED = Action(
    "Sluice.CheckAnswered",
    "Checks",
    "Execute",
    '{Kind} check on {ResourceType} "{ResourceName}" for stage {StageName} of run {RunId} was answered: {Result}.',
)
KEY_ROTATED = Action(
    "Sluice.MasterKeyRotated",
    "Library",
    "Modify",
    "Rotated the master key: {Count} records are sealed with key {KeyId} now.",
)

SIGNING_KEY_CREATED = Action(
    "Sluice.SigningKeyCreated",
    "Library",
    "Create",
    "Made the key {KeyId}, which identity tokens are signed with from {ActiveFrom} on.",
)
SIGNING_KEY_RETIRED = Action(
    "Sluice.SigningKeyRetired",
    "Library",
    "Remove",
    "Forgot the key {KeyId}, which identity tokens were signed with.",
)
SECRETS_RESOLVED = Action(
    "Sluice.SecretReferencesResolved",
    "Library",
    "Execute",
    'Secret references of Service Connection "{ConnectionName}" resolved in project {ProjectName}.',
)
SECRET_LEASE_ENDED = Action(
    "Sluice.SecretLeaseEnded",
    "Library",
    "Remove",
    'A leased secret of Service Connection "{ConnectionName}" has ended (given back: {Revoked}).',
)
IDENTITY_TOKEN_ISSUED = Action(
    "Sluice.IdentityTokenIssued",
    "Library",
    "Execute",
    'Identity token {TokenId} issued for Service Connection "{ConnectionName}" in project {ProjectName}.',
)

CONNECTION_SHARED = Action(
    "Library.ServiceConnectionShared",
    "Library",
    "Modify",
    'Shared Service Connection "{ConnectionName}" of type {ConnectionType} with project {ProjectName}.',
)
TASK_INSTALLED = Action(
    "Sluice.TaskInstalled",
    "Extension",
    "Create",
    "Installed task {TaskName} {Version} ({Digest}) from {Source}.",
)
TASK_REMOVED = Action(
    "Sluice.TaskRemoved",
    "Extension",
    "Remove",
    "Removed task {TaskName} {Version} ({Digest}).",
)
