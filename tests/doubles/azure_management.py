"""The management API as far as connections are tried with it: subscriptions, management groups, workspaces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.doubles.azure import MANAGEMENT, Azure, allowed, error
from tests.doubles.entra import LOGIN_HOST
from tests.doubles.web import Call, Reply

SUBSCRIPTION_VERSIONS = {"2016-06-01", "2019-06-01", "2019-11-01", "2022-12-01"}
GROUP_VERSIONS = {"2018-01-01-preview", "2020-05-01"}
WORKSPACE_VERSIONS = {"2023-10-01"}


class Management:
    """Answers for one subscription, one management group and one workspace; serves itself in `azure`."""

    def __init__(self, azure: Azure) -> None:
        self.azure = azure
        self.state = "Enabled"
        self.group = "platform"
        self.workspace = ("science", "models")
        self.stack = "management.local.azurestack.test"
        self.parts: list[Callable[[Call], Reply | None]] = []
        """Further resource providers: each answers None for what is none of its own."""
        azure.services[MANAGEMENT] = self.answer
        azure.services[self.stack] = self._stack

    def answer(self, call: Call) -> Reply:
        for provider in self.parts:
            if (reply := provider(call)) is not None:
                return reply
        parts = call.path.strip("/").split("/")
        lowered = [part.casefold() for part in parts]
        if parts == ["tenants"]:
            return self._checked(call, SUBSCRIPTION_VERSIONS, {"value": [self._tenant()]})
        if parts == ["subscriptions"]:
            return self._checked(call, SUBSCRIPTION_VERSIONS, {"value": [self._subscription()]})
        if lowered[:3] == ["providers", "microsoft.management", "managementgroups"] and len(parts) == 4:
            found = {"id": call.path, "name": parts[3], "properties": {"displayName": "Platform team"}}
            return self._checked(call, GROUP_VERSIONS, found if parts[3] == self.group else None)
        if lowered[0] == "subscriptions" and parts[1] != self.azure.subscription:
            return self._checked(call, SUBSCRIPTION_VERSIONS | WORKSPACE_VERSIONS, None, code="SubscriptionNotFound")
        if lowered[0] == "subscriptions" and len(parts) == 2:
            return self._checked(call, SUBSCRIPTION_VERSIONS, self._subscription())
        if lowered[5:7] == ["microsoft.machinelearningservices", "workspaces"]:
            there = (parts[3], parts[7]) == self.workspace
            found = {"id": call.path, "name": parts[7], "location": "westeurope"}
            return self._checked(call, WORKSPACE_VERSIONS, found if there else None)
        return Reply(404, error("ResourceNotFound", f"The resource '{call.path}' was not found."))

    def _checked(self, call: Call, versions: set[str], found: Any, *, code: str = "ResourceNotFound") -> Reply:
        if refusal := allowed(self.azure, call, versions=versions):
            return refusal
        self.azure.expect(call.method == "GET", "looking changes nothing")
        return Reply(200, found) if found is not None else Reply(404, error(code, "It could not be found."))

    def _subscription(self) -> dict[str, Any]:
        one = self.azure.subscription
        return {
            "id": f"/subscriptions/{one}",
            "subscriptionId": one,
            "displayName": "Pay as you go",
            "state": self.state,
            "tenantId": self.azure.entra.tenant,
        }

    def _tenant(self) -> dict[str, Any]:
        return {"id": f"/tenants/{self.azure.entra.tenant}", "tenantId": self.azure.entra.tenant, "displayName": "Test"}

    def _stack(self, call: Call) -> Reply:
        if call.path == "/metadata/endpoints":
            self.azure.expect(call.query.get("api-version") == "2015-01-01", "the version of the metadata")
            self.azure.expect("authorization" not in call.headers, "nobody shows a token for the metadata")
            audience = "https://management.core.windows.net"
            return Reply(200, {"authentication": {"loginEndpoint": f"https://{LOGIN_HOST}/", "audiences": [audience]}})
        return self.answer(call)
