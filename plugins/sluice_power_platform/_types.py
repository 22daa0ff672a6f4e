"""The connection type: keys, schemes and labels as the extension of Azure Pipelines has them."""

from __future__ import annotations

from sluice.plugin import ConnectionType, Field, Scheme, Url

_GUID = r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"
_NO_GUID = "it is no id, such as 00000000-0000-0000-0000-000000000000"

POWER_PLATFORM = ConnectionType(
    "powerplatform-spn",
    "Power Platform",
    summary="Power Platform environment through an application user.",
    url=Url(label="Server URL", help="The environment, such as https://contoso.crm4.dynamics.com.", schemes=("https",)),
    schemes=(
        Scheme(
            "None",
            "Application Id and client secret",
            (
                Field(
                    "tenantId",
                    "Tenant Id",
                    required=True,
                    validation=_GUID,
                    validation_message=_NO_GUID,
                    help="Entra tenant.",
                ),
                Field(
                    "applicationId",
                    "Application Id",
                    required=True,
                    validation=_GUID,
                    validation_message=_NO_GUID,
                    help="Application (client) id.",
                ),
                Field(
                    "clientSecret",
                    "Client secret of Application Id",
                    secret=True,
                    required=True,
                    help="The value of the secret, not its id.",
                ),
            ),
        ),
        Scheme(
            "ManagedServiceIdentity",
            "Azure Managed Identity",
            (Field("tenantid", "Tenant Id", generated=True, help="Left empty: the host's identity has a tenant."),),
        ),
        Scheme(
            "WorkloadIdentityFederation",
            "Workload Identity federation (preview)",
            (
                Field("tenantid", "Tenant Id", required=True, help="Entra tenant."),
                Field("serviceprincipalid", "Service Principal Id", required=True, help="Client id."),
            ),
        ),
    ),
)
