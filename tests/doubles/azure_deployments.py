"""Resource groups and deployments of the management API: templates are checked, and what they name comes to be."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.azure import MANAGEMENT, Azure, allowed, error
from tests.doubles.azure_management import Management
from tests.doubles.web import Call, Reply

VERSIONS = {"2021-04-01", "2022-09-01"}
_PARAMETER = re.compile(r"\[parameters\('([^']+)'\)\]")
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "securestring": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": dict,
    "secureobject": dict,
}
_SCOPES = (
    re.compile(r"/subscriptions/[^/]+/resourcegroups/(?P<group>[^/]+)(?P<rest>/.*)?", re.IGNORECASE),
    re.compile(r"/subscriptions/[^/]+(?P<rest>/providers/Microsoft.Resources/.*)", re.IGNORECASE),
    re.compile(
        r"/providers/Microsoft.Management/managementGroups/[^/]+(?P<rest>/providers/Microsoft.Resources/.*)",
        re.IGNORECASE,
    ),
)
_DEPLOYMENT = re.compile(
    r"/providers/Microsoft.Resources/deployments/(?P<name>[^/]+)(/(?P<action>\w+))?", re.IGNORECASE
)


@dataclass
class Group:
    location: str
    resources: set[str] = field(default_factory=set)


class Deployments:
    """Adds itself to a management API. `fails` is an error that deployments end with; `groups` what there is."""

    def __init__(self, azure: Azure, management: Management) -> None:
        self.azure = azure
        self.groups: dict[str, Group] = {}
        self.deployed: dict[str, dict[str, Any]] = {}
        """The bodies of deployments that were carried out, by name."""
        self.foreseen: list[str] = []
        self.canceled: list[str] = []
        self.fails: dict[str, Any] | None = None
        self.endless = False
        self._operations: dict[str, list[Reply]] = {}
        management.parts.append(self.answer)

    def answer(self, call: Call) -> Reply | None:
        if call.path.startswith("/operations/"):
            return self._refused(call) or self._operations[call.path].pop(0)
        if re.fullmatch(r"/subscriptions/[^/]+/resourcegroups", call.path, re.IGNORECASE):
            groups = [{"name": name, "location": one.location} for name, one in self.groups.items()]
            return self._refused(call) or Reply(200, {"value": groups})
        for scope in _SCOPES:
            if found := scope.fullmatch(call.path):
                parts = found.groupdict()
                if parts.get("rest") and not _DEPLOYMENT.fullmatch(parts["rest"]):
                    continue  # of another resource provider
                return self._refused(call) or self._scoped(call, parts.get("group") or "", parts.get("rest") or "")
        return None

    def _refused(self, call: Call) -> Reply | None:
        return allowed(self.azure, call, versions=VERSIONS)

    def _scoped(self, call: Call, group: str, rest: str) -> Reply:
        if not rest:
            return self._group(call, group)
        if group and group not in self.groups:
            return Reply(404, error("ResourceGroupNotFound", f"Resource group '{group}' could not be found."))
        found = _DEPLOYMENT.fullmatch(rest)
        if found is None:
            return Reply(404, error("ResourceNotFound", call.path))
        name, action = found["name"], found["action"]
        if call.method == "GET" and not action:
            return self._outcome(name)
        if action == "cancel":
            self.canceled.append(name)
            return Reply(204)
        body = json.loads(call.body)
        if bool(group) == ("location" in body):
            return Reply(400, error("LocationRequired" if not group else "LocationNotAllowed", "location"))
        if problem := _invalid(body.get("properties", {})):
            return Reply(400, problem)
        if action == "validate" and call.method == "POST":
            return Reply(200, {"properties": {"provisioningState": "Succeeded"}})
        if action == "whatIf" and call.method == "POST":
            return self._foresee(call, group, name, body)
        self.azure.expect(call.method == "PUT" and not action, f"{call.method} {call.path}")
        return self._deploy(call, group, name, body)

    def _group(self, call: Call, name: str) -> Reply:
        if call.method == "HEAD":
            return Reply(204 if name in self.groups else 404)
        if call.method == "PUT":
            location = json.loads(call.body).get("location")
            if not location:
                return Reply(400, error("LocationRequired", "The location property is required."))
            self.groups[name] = Group(location)
            return Reply(201, {"name": name, "location": location})
        if name not in self.groups:
            return Reply(404, error("ResourceGroupNotFound", f"Resource group '{name}' could not be found."))
        self.azure.expect(call.method == "DELETE", f"{call.method} of a group")
        del self.groups[name]
        return self._accepted("Location", Reply(202, None, {"Retry-After": "0", "Location": self._next()}), Reply(200))

    def _foresee(self, call: Call, group: str, name: str, body: Any) -> Reply:
        self.foreseen.append(name)
        wanted, there = _resources(body), self.groups[group].resources if group else set()
        changes = [
            {"resourceId": one, "changeType": "NoChange" if one in there else "Create"} for one in sorted(wanted)
        ]
        if body["properties"]["mode"] == "Complete":
            changes += [{"resourceId": one, "changeType": "Delete"} for one in sorted(there - wanted)]
        return self._accepted("Location", Reply(200, {"status": "Succeeded", "properties": {"changes": changes}}))

    def _deploy(self, call: Call, group: str, name: str, body: Any) -> Reply:
        self.deployed[name] = body
        if self.fails is None and group:
            there = self.groups[group].resources
            if body["properties"]["mode"] == "Complete":
                there.clear()
            there.update(_resources(body))
        last = {"status": "Failed", "error": self.fails} if self.fails else {"status": "Succeeded"}
        running = Reply(200, {"status": "Running"}, {"Retry-After": "60" if self.endless else "0"})
        started = self._accepted("Azure-AsyncOperation", running, Reply(200, last))
        return Reply(201, {"properties": {"provisioningState": "Accepted"}}, started.headers)

    def _outcome(self, name: str) -> Reply:
        properties = self.deployed[name]["properties"]
        given = {key: one.get("value") for key, one in (properties.get("parameters") or {}).items()}
        declared = properties["template"].get("outputs", {}) if "template" in properties else {}
        outputs = {
            key: {"type": one["type"], "value": _evaluated(one["value"], given)} for key, one in declared.items()
        }
        state = "Failed" if self.fails else "Succeeded"
        return Reply(200, {"name": name, "properties": {"provisioningState": state, "outputs": outputs}})

    def _next(self) -> str:
        return f"https://{MANAGEMENT}/operations/{len(self._operations)}?api-version=2021-04-01"

    def _accepted(self, header: str, *replies: Reply) -> Reply:
        place = self._next()
        self._operations[f"/operations/{len(self._operations)}"] = list(replies)
        return Reply(202, None, {header: place, "Retry-After": "0"})


def _invalid(properties: Any) -> Mapping[str, Any] | None:
    if properties.get("mode") not in {"Incremental", "Complete"}:
        return error("InvalidDeploymentMode", f"The mode {properties.get('mode')} is not valid.")
    if "templateLink" in properties:
        return (
            None
            if properties["templateLink"].get("uri", "").startswith("https://")
            else error("InvalidTemplateLink", "uri")
        )
    template, given = properties.get("template"), properties.get("parameters") or {}
    if not isinstance(template, dict) or "$schema" not in template or "resources" not in template:
        return error("InvalidTemplate", "The template has no '$schema' or no 'resources'.")
    details = [
        {"code": "InvalidTemplate", "message": f"The value for the template parameter '{name}' is not provided."}
        for name, one in template.get("parameters", {}).items()
        if name not in given and "defaultValue" not in one
    ]
    for name, one in given.items():
        declared = template.get("parameters", {}).get(name)
        if declared is None:
            details.append({"code": "InvalidTemplate", "message": f"The parameter '{name}' is not a valid parameter."})
        elif "value" in one and not _is_of(one["value"], declared["type"]):
            details.append({"code": "InvalidTemplate", "message": f"'{name}' is no {declared['type']}."})
        elif not {"value", "reference"} & set(one):
            details.append({"code": "InvalidRequestContent", "message": f"The parameter '{name}' has no value."})
    if not details:
        return None
    return {
        "error": {"code": "InvalidTemplateDeployment", "message": "The template deployment failed.", "details": details}
    }


def _is_of(value: Any, kind: str) -> bool:
    wanted = _TYPES[kind.casefold()]
    return isinstance(value, wanted) and not (wanted is int and isinstance(value, bool))


def _resources(body: Any) -> set[str]:
    template = body["properties"].get("template") or {"resources": []}
    return {f"{one['type']}/{one['name']}" for one in template["resources"]}


def _evaluated(value: Any, given: Mapping[str, Any]) -> Any:
    found = _PARAMETER.fullmatch(value) if isinstance(value, str) else None
    return given.get(found[1]) if found else value
