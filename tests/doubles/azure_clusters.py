"""AKS as far as credentials of clusters are asked of it: `listClusterUserCredential` and `listClusterAdminCredential`."""

from __future__ import annotations

import base64
from typing import Any

import yaml
from tests.doubles.azure import Azure, allowed, error
from tests.doubles.azure_management import Management
from tests.doubles.web import Call, Reply

VERSIONS = {"2023-10-01", "2024-05-01"}
SERVER_APPLICATION = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The application that Entra's tokens for AKS are for."""

USER, ADMIN = "listClusterUserCredential", "listClusterAdminCredential"


class Clusters:
    """One cluster in a group; serves itself as a part of `management`. `kubeconfigs` are by what lists them."""

    def __init__(self, management: Management, group: str, name: str) -> None:
        self.azure: Azure = management.azure
        self.azure.entra.audiences.add(SERVER_APPLICATION)
        self.path = (
            f"/subscriptions/{self.azure.subscription}/resourceGroups/{group}"
            f"/providers/Microsoft.ContainerService/managedClusters/{name}"
        )
        self.kubeconfigs: dict[str, Any] = {}
        management.parts.append(self.answer)

    def answer(self, call: Call) -> Reply | None:
        if "/microsoft.containerservice/" not in call.path.casefold():
            return None
        path, _, action = call.path.rpartition("/")
        if refusal := allowed(self.azure, call, versions=VERSIONS):
            return refusal
        self.azure.expect(call.method == "POST", "credentials are asked for with POST")
        self.azure.expect(action in {USER, ADMIN}, f"nobody knows {action}")
        if path.casefold() != self.path.casefold():
            return Reply(404, error("ResourceNotFound", "The managed cluster was not found."))
        if action not in self.kubeconfigs:
            return Reply(403, error("AuthorizationFailed", "The client does not have authorization for the action."))
        text = yaml.safe_dump(self.kubeconfigs[action]).encode()
        named = "clusterUser" if action == USER else "clusterAdmin"
        return Reply(200, {"kubeconfigs": [{"name": named, "value": base64.b64encode(text).decode()}]})
