"""The connection types: keys, schemes and labels as Azure Pipelines has them."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url
from sluice_azure._environments import DEFAULT, ENVIRONMENTS, STACK

_GUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_NO_GUID = "it is an id, such as 00000000-0000-0000-0000-000000000000"
_BOTH_PEM = r"(?s)(?=.*-----BEGIN CERTIFICATE-----)(?=.*-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----).*"
_ONE_LINE = r"[^\x00-\x1f\x7f]+"
_CLOUDS = tuple(ENVIRONMENTS)
_OF_SUBSCRIPTION = ("scopeLevel", "Subscription", "AzureMLWorkspace")
_OF_WORKSPACE = ("scopeLevel", "AzureMLWorkspace")
_OF_GROUP = ("scopeLevel", "ManagementGroup")


def _line(
    key: str, label: str, help_text: str, most: int, *, when: tuple[str, ...] = (), required: bool = True
) -> Field:
    return Field(
        key,
        label,
        required=required,
        validation=rf"[^\x00-\x1f\x7f]{{1,{most}}}",
        validation_message=f"it is one line of {most} characters at most",
        when=when,
        help=help_text,
    )


def _guid(key: str, label: str, help_text: str, *, when: tuple[str, ...] = (), required: bool = True) -> Field:
    return Field(
        key, label, required=required, validation=_GUID, validation_message=_NO_GUID, when=when, help=help_text
    )


def _made(key: str, label: str, help_text: str, *, secret: bool = False, default: str = "") -> Field:
    return Field(key, label, secret=secret, generated=True, default=default, help=help_text)


def _creation() -> tuple[Field, ...]:
    return (
        _made("accessToken", "Access Token", "One-time token of whoever had the principal made.", secret=True),
        _made("accessTokenFetchingMethod", "Access Fetching Method", "How that token was obtained."),
    )


_TENANT = _guid("tenantid", "Tenant ID", "Microsoft Entra tenant of the principal.")
_SCOPE = _made("scope", "Scope", "ARM scope of the role; a resource group narrows a subscription.")

SERVICE_PRINCIPAL = Scheme(
    "ServicePrincipal",
    "Service Principal Authentication",
    (
        _guid("serviceprincipalid", "Service Principal Id", "Client (application) id."),
        Field(
            "authenticationType",
            "Credential",
            kind="choice",
            choices=("spnKey", "spnCertificate"),
            default="spnKey",
            help="Which credential is stored: a client secret or a certificate.",
        ),
        Field(
            "serviceprincipalkey",
            "Service principal key",
            secret=True,
            required=True,
            when=("authenticationType", "spnKey"),
            validation=_ONE_LINE,
            validation_message="it is one line, without control characters",
            help="Client secret: its value, not its id.",
        ),
        Field(
            "servicePrincipalCertificate",
            "Certificate",
            secret=True,
            required=True,
            kind="multiline",
            when=("authenticationType", "spnCertificate"),
            validation=_BOTH_PEM,
            validation_message="give one PEM text that holds both the certificate and its private key",
            help="PEM text with both the certificate and its private key.",
        ),
        _TENANT,
        _SCOPE,
        _made("role", "Role", "Role of a principal that was made for the connection."),
        *_creation(),
    ),
)

FEDERATION = Scheme(
    "WorkloadIdentityFederation",
    "Workload Identity federation",
    (
        _guid(
            "serviceprincipalid",
            "Service Principal Id",
            "Client id of the app registration or of the managed identity.",
        ),
        _TENANT,
        _made(
            "workloadIdentityFederationIssuer", "Issuer", "See 'sluice connection federation'; taken over, not used."
        ),
        _made(
            "workloadIdentityFederationSubject",
            "Subject identifier",
            "See 'sluice connection federation'; taken over, not used: it follows the connection's name.",
        ),
        _made("workloadIdentityFederationIssuerType", "Issuer type", "Which kind of issuer it was elsewhere."),
        _SCOPE,
    ),
)

MANAGED_IDENTITY = Scheme(
    "ManagedServiceIdentity",
    "Managed Identity Authentication",
    (_guid("tenantid", "Tenant Id", "Tenant of the subscription that the machine's identity may reach."),),
)

PUBLISH_PROFILE = Scheme(
    "PublishProfile",
    "Publish Profile Based Authentication",
    (
        Field(
            "publishProfile",
            "Publish Profile",
            secret=True,
            required=True,
            kind="multiline",
            validation=r"(?s)\s*(<\?xml.*)?<publishData>.*</publishData>\s*",
            validation_message="give the whole file of the publish profile: it begins with <publishData>",
            help="The file that 'Download publish profile' of the app gives (XML).",
        ),
        _guid("tenantid", "Tenant Id", "Tenant of the app.", required=False),
        *_creation(),
    ),
)

RESOURCE_MANAGER = ConnectionType(
    "azurerm",
    "Azure Resource Manager",
    summary="Azure subscription, management group or machine-learning workspace.",
    url=Url(
        label="Server Url",
        help="Management address of an Azure Stack, such as https://management.local.azurestack.external/.",
        schemes=("https",),
        chosen_by="environment",
        by_value=tuple((name, values["resourceManagerUrl"]) for name, values in ENVIRONMENTS.items()),
    ),
    schemes=(SERVICE_PRINCIPAL, FEDERATION, MANAGED_IDENTITY, PUBLISH_PROFILE),
    data=(
        Field(
            "environment",
            "Environment",
            kind="choice",
            choices=(*_CLOUDS, STACK),
            default=DEFAULT,
            address=True,
            help="Azure cloud. AzureStack needs the url of its management address.",
        ),
        Field(
            "scopeLevel",
            "Scope Level",
            kind="choice",
            choices=("Subscription", "ManagementGroup", "AzureMLWorkspace"),
            default="Subscription",
            help="What the connection reaches.",
        ),
        _guid("subscriptionId", "Subscription Id", "Subscription identifier.", when=_OF_SUBSCRIPTION),
        _line("subscriptionName", "Subscription Name", "Subscription name.", 255, when=_OF_SUBSCRIPTION),
        _line("resourceGroupName", "Resource Group", "Group of the workspace.", 255, when=_OF_WORKSPACE),
        _line("mlWorkspaceName", "ML Workspace Name", "Name of the workspace.", 255, when=_OF_WORKSPACE),
        _line("mlWorkspaceLocation", "ML Workspace Location", "Region of the workspace.", 255, when=_OF_WORKSPACE),
        _line("managementGroupId", "Management Group ID", "Management group identifier.", 255, when=_OF_GROUP),
        _line("managementGroupName", "Management Group Name", "Management group name.", 255, when=_OF_GROUP),
        _made("creationMode", "Creation Mode", "Automatic or Manual: who made the principal.", default="Manual"),
        _made("identityType", "Identity Type", "Kind of identity behind a federated connection."),
        _made("revertSchemeDeadline", "Revert deadline", "Until when a conversion could be undone elsewhere."),
        _made("appObjectId", "Application Object Id", "Object id of the app registration."),
        _made("spnObjectId", "Service Principal Object Id", "Object id of the service principal."),
        _made("azureSpnRoleAssignmentId", "Role Assignment Id", "Role assignment of an automatic principal."),
        _made("azureSpnPermissions", "Azure permissions", "Permissions that were granted with it."),
        _made("oboAuthorization", "Execute on behalf of (OBO) users", "Taken over; nothing acts for users here."),
        _line(
            "resourceId",
            "Azure Resource Identifier",
            "ARM id of the one app that a publish profile is for.",
            512,
            required=False,
        ),
        _guid(
            "msiclientId",
            "Managed identity client id",
            "Client id of a user-assigned managed identity of the machine.",
            required=False,
        ),
    ),
)

CLASSIC = ConnectionType(
    "azure",
    "Azure Classic",
    summary="Azure service-management (pre-ARM) subscription, by account credentials or a management certificate.",
    url=Url(
        label="Server Url",
        schemes=("https",),
        chosen_by="environment",
        by_value=tuple(
            (name, f"{values['serviceManagementUrl'].rstrip('/')}/") for name, values in ENVIRONMENTS.items()
        ),
    ),
    schemes=(
        Scheme(
            "UsernamePassword",
            "Credentials",
            (
                _line("username", "Username", "Work or school account.", 300),
                Field("password", "Password", secret=True, required=True, help="Password of that account."),
            ),
        ),
        Scheme(
            "Certificate",
            "Certificate Based",
            (
                Field(
                    "certificate",
                    "Management Certificate",
                    secret=True,
                    required=True,
                    kind="multiline",
                    validation=r"(?s)\s*(MI[A-Za-z0-9+/\s]+=*|-----BEGIN .*)\s*",
                    validation_message="give the value from the publish-settings file (base64), or a PEM text",
                    help="Value of ManagementCertificate in the publish-settings file (base64 of PKCS#12), or PEM with key.",
                ),
            ),
        ),
    ),
    data=(
        Field(
            "environment",
            "Environment",
            kind="choice",
            choices=_CLOUDS,
            default=DEFAULT,
            address=True,
            help="Azure cloud that holds the subscription.",
        ),
        _guid("subscriptionId", "Subscription Id", "Identifier of the subscription, not its name."),
        _line("subscriptionName", "Subscription Name", "Name of the subscription.", 255),
    ),
)

SERVICE_BUS = ConnectionType(
    "AzureServiceBus",
    "Azure Service Bus",
    summary="A Service Bus queue by connection string; newer pipelines use an Azure Resource Manager connection.",
    url=Url(label="Server Url", entered=False, required=False, template="https://management.core.windows.net/"),
    schemes=(
        Scheme(
            "None",
            "No Authentication",
            (
                Field(
                    "serviceBusConnectionString",
                    "Service Bus Connection string",
                    secret=True,
                    required=True,
                    validation=r"(?i)(?=.*\bEndpoint=sb://[^;]+)(?=.*\bSharedAccessKey(Name)?=[^;]+)[^\x00-\x1f\x7f]{1,255}",
                    validation_message="it is as the portal shows it: "
                    "Endpoint=sb://NAME.servicebus.windows.net/;SharedAccessKeyName=...;SharedAccessKey=...",
                    help="Primary or secondary connection string, without the entity path.",
                ),
            ),
        ),
    ),
    data=(_line("serviceBusQueueName", "Service Bus Queue Name", "Queue name (entity path).", 127),),
)
