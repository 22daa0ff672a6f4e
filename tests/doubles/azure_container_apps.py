"""Container apps of the management API: environments, and apps that are made and changed."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.doubles.azure import MANAGEMENT, Azure, allowed, error
from tests.doubles.azure_management import Management
from tests.doubles.web import Call, Reply

VERSIONS = {"2024-03-01"}
_RESOURCE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/Microsoft.App/"
    r"(?P<kind>containerApps|managedEnvironments)(/(?P<name>[^/]+))?/?"
)


class ContainerApps:
    """Adds itself to a management API. `resources` are by kind and name; `state` is what they come to."""

    def __init__(self, azure: Azure, management: Management) -> None:
        self.azure = azure
        self.resources: dict[tuple[str, str], dict[str, Any]] = {}
        self.state = "Succeeded"
        self._waiting: list[Reply] = []
        management.parts.append(self.answer)

    def app(self, name: str) -> dict[str, Any]:
        """The properties of an app."""
        found: dict[str, Any] = self.resources["containerApps", name]["properties"]
        return found

    def answer(self, call: Call) -> Reply | None:
        if call.path == "/container-operation":
            return allowed(self.azure, call, versions=VERSIONS) or self._waiting.pop(0)
        found = _RESOURCE.fullmatch(call.path)
        if found is None:
            return None
        return allowed(self.azure, call, versions=VERSIONS) or self._resource(call, found["kind"], found["name"] or "")

    def _resource(self, call: Call, kind: str, name: str) -> Reply:
        if not name:
            return Reply(200, {"value": [one for (each, _), one in self.resources.items() if each == kind]})
        known = self.resources.get((kind, name))
        if call.method == "GET":
            return Reply(200, known) if known else Reply(404, error("ResourceNotFound", name))
        body = json.loads(call.body)
        if call.method == "PUT":
            return self._made(call, kind, name, body)
        self.azure.expect(call.method == "PATCH" and known is not None, f"{call.method} {name}")
        _merge(known or {}, body)
        self._waiting = [Reply(202, None, {"Retry-After": "0"}), Reply(200, known)]
        place = f"https://{MANAGEMENT}/container-operation?api-version=2024-03-01"
        return Reply(202, None, headers={"Location": place, "Retry-After": "0"})

    def _made(self, call: Call, kind: str, name: str, body: dict[str, Any]) -> Reply:
        if not body.get("location"):
            return Reply(400, error("LocationRequired", "The location property is required."))
        if kind == "containerApps" and not body["properties"].get("managedEnvironmentId", "").endswith(tuple(
            one for each, one in self.resources if each == "managedEnvironments"
        ) or ("?",)):  # fmt: skip
            return Reply(400, error("EnvironmentNotFound", "The environment does not exist."))
        body["properties"]["provisioningState"] = self.state
        if ingress := (body["properties"].get("configuration") or {}).get("ingress"):
            ingress["fqdn"] = f"{name}.example.azurecontainerapps.io"
        self.resources[kind, name] = {"id": call.path, "name": name, **body}
        return Reply(201, self.resources[kind, name])


def _merge(known: dict[str, Any], changes: dict[str, Any]) -> None:
    """As JSON Merge Patch has it: objects are merged, everything else is replaced."""
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(known.get(key), dict):
            _merge(known[key], value)
        else:
            known[key] = value
