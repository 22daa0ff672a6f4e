"""The clouds of Azure: where each has its services. The keys are those that tasks read from a connection's data."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT = "AzureCloud"
STACK = "AzureStack"
"""A cloud of one's own: its addresses are asked for at its management address."""

_KEYS = (
    "environmentUrl",
    "galleryUrl",
    "serviceManagementUrl",
    "resourceManagerUrl",
    "activeDirectoryAuthority",
    "environmentAuthorityUrl",
    "graphUrl",
    "microsoftGraphUrl",
    "managementPortalUrl",
    "armManagementPortalUrl",
    "activeDirectoryServiceEndpointResourceId",
    "sqlDatabaseDnsSuffix",
    "AzureKeyVaultDnsSuffix",
    "AzureKeyVaultServiceEndpointResourceId",
    "StorageEndpointSuffix",
    "EnableAdfsAuthentication",
)

_ROWS: Mapping[str, tuple[str, ...]] = {
    "AzureCloud": (
        "https://management.azure.com/",
        "https://gallery.azure.com/",
        "https://management.core.windows.net/",
        "https://management.azure.com/",
        "https://login.microsoftonline.com/",
        "https://login.windows.net/",
        "",
        "https://graph.microsoft.com/",
        "https://manage.windowsazure.com/",
        "https://portal.azure.com/",
        "https://management.core.windows.net/",
        ".database.windows.net",
        "vault.azure.net",
        "https://vault.azure.net",
        "core.windows.net",
        "false",
    ),
    "AzureChinaCloud": (
        "https://management.chinacloudapi.cn/",
        "https://gallery.chinacloudapi.cn/",
        "https://management.core.chinacloudapi.cn/",
        "https://management.chinacloudapi.cn/",
        "https://login.chinacloudapi.cn/",
        "https://login.chinacloudapi.cn/",
        "https://graph.chinacloudapi.cn/",
        "https://microsoftgraph.chinacloudapi.cn/",
        "https://manage.windowsazure.cn/",
        "https://portal.azure.cn/",
        "https://management.core.chinacloudapi.cn/",
        ".database.chinacloudapi.cn",
        "vault.azure.cn",
        "https://vault.azure.cn",
        "core.chinacloudapi.cn",
        "false",
    ),
    "AzureUSGovernment": (
        "https://management.usgovcloudapi.net/",
        "https://gallery.usgovcloudapi.net/",
        "https://management.core.usgovcloudapi.net/",
        "https://management.usgovcloudapi.net/",
        "https://login.microsoftonline.us/",
        "https://login.microsoftonline.us/",
        "",
        "https://graph.microsoft.us/",
        "https://manage.windowsazure.us/",
        "https://portal.azure.us",
        "https://management.core.usgovcloudapi.net/",
        ".database.usgovcloudapi.net",
        "vault.usgovcloudapi.net",
        "https://vault.usgovcloudapi.net",
        "core.usgovcloudapi.net",
        "false",
    ),
    "AzureGermanCloud": (
        "https://management.microsoftazure.de/",
        "https://gallery.cloudapi.de/",
        "https://management.core.cloudapi.de",
        "https://management.microsoftazure.de/",
        "https://login.microsoftonline.de/",
        "https://login.microsoftonline.de/",
        "https://graph.cloudapi.de/",
        "https://graph.microsoft.de/",
        "http://portal.microsoftazure.de/",
        "https://portal.azure.us",
        "https://management.core.cloudapi.de",
        ".database.cloudapi.de",
        "vault.microsoftazure.de",
        "https://vault.microsoftazure.de",
        "core.cloudapi.de",
        "false",
    ),
}

ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    name: {key: value for key, value in zip(_KEYS, row, strict=True) if value} for name, row in _ROWS.items()
}
"""By the name of a cloud: its addresses by data key. Azure Stack is not among them."""


def environment_of(name: str) -> Mapping[str, str]:
    """The addresses of a cloud, ignoring the case of its name; empty for Azure Stack and for what nobody knows."""
    wanted = name.casefold()
    return next((found for known, found in ENVIRONMENTS.items() if known.casefold() == wanted), {})
