"""The HTTP gateway of a Service Fabric cluster, and the Entra tenant of its clients, by their API descriptions."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, unquote

from tests.doubles.web import Call, Double, Reply

MANIFEST = re.compile(rb'ApplicationTypeName="([^"]+)"[^>]*ApplicationTypeVersion="([^"]+)"')


@dataclass
class Application:
    type: str
    version: str
    parameters: dict[str, str]


@dataclass
class Cluster(Double):
    """Clients may be known by the certificate (then TLS has seen it already) or by a token."""

    admin: bool = True
    token: str = ""
    aad: dict[str, str] = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    types: dict[tuple[str, str], str] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    upgrades: list[dict[str, Any]] = field(default_factory=list)
    states: list[str] = field(default_factory=lambda: ["RollingForwardInProgress", "RollingForwardCompleted"])
    registering: int = 1
    fails: str = ""
    prefix: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, call: Call) -> Reply:
        path = unquote(call.path)
        if path == "/$/GetAadMetadata" and call.query == {"api-version": "6.0"}:
            return Reply(200, {"type": "aad", "metadata": self.aad} if self.aad else {"type": "none"})
        if self.token and call.headers.get("authorization") != f"Bearer {self.token}":
            return Reply(401, b"")
        if path == "/$/GetClusterVersion":
            self.expect(call.query == {"api-version": "6.4"}, f"another question: {call.query}")
            return Reply(200, {"Version": "10.1.2338.9590"})
        if not self.admin and call.method != "GET":
            return self._error(403, "FABRIC_E_ACCESS_DENIED", "Access denied")
        if path.startswith("/ImageStore/"):
            return self._image(call, path.removeprefix("/ImageStore/"))
        if path.startswith("/ApplicationTypes/"):
            return self._type(call, path.removeprefix("/ApplicationTypes/"))
        if path.startswith("/Applications/"):
            return self._application(call, path.removeprefix("/Applications/"))
        return Reply(404, b"<html>Not Found</html>", content="text/html")

    def _image(self, call: Call, path: str) -> Reply:
        self.expect(call.query.get("api-version") == "6.0", "no version of the API")
        if call.method == "PUT":
            folder = path.rpartition("/")[0]
            late = f"{folder}/_.dir" in self.images and not path.endswith("/_.dir")
            self.expect(not late, f"{path} comes after the mark of its folder")
            self.images[path] = call.body
            return Reply(200, b"")
        if call.method == "DELETE":
            for name in [one for one in self.images if one == path or one.startswith(f"{path}/")]:
                del self.images[name]
            return Reply(200, b"")
        return Reply(405, b"")

    def _type(self, call: Call, path: str) -> Reply:
        if path == "$/Provision" and call.method == "POST":
            self.expect(call.query.get("api-version") == "6.2", "no version of the API")
            return self._provision(json.loads(call.body))
        name, _, action = path.partition("/$/")
        if action == "Unprovision" and call.method == "POST":
            version = json.loads(call.body)["ApplicationTypeVersion"]
            if any((one.type, one.version) == (name, version) for one in self.applications.values()):
                return self._error(409, "FABRIC_E_APPLICATION_TYPE_IN_USE", "Application type is still in use")
            if self.types.pop((name, version), None) is None:
                return self._error(404, "FABRIC_E_APPLICATION_TYPE_NOT_FOUND", "not found")
            return Reply(200, b"")
        if action or call.method != "GET":
            return Reply(405, b"")
        items = [{"Name": name, "Version": key[1], **self._status(key)} for key in self.types if key[0] == name]
        return Reply(200, {"ContinuationToken": "", "Items": items})

    def _provision(self, body: dict[str, Any]) -> Reply:
        self.expect(body.get("Kind") == "ImageStorePath" and body.get("Async") is True, f"another body: {body}")
        place = body["ApplicationTypeBuildPath"]
        folders = {name.rpartition("/")[0] for name in self.images if name.startswith(f"{place}/")}
        self.expect(all(f"{one}/_.dir" in self.images for one in folders), "a folder has no mark")
        manifest = MANIFEST.search(self.images.get(f"{place}/ApplicationManifest.xml", b""))
        if manifest is None:
            return self._error(404, "FABRIC_E_FILE_NOT_FOUND", f"{place} has no ApplicationManifest.xml")
        key = manifest[1].decode(), manifest[2].decode()
        if key in self.types:
            return self._error(409, "FABRIC_E_APPLICATION_TYPE_ALREADY_EXISTS", "already registered")
        self.types[key] = "Provisioning"
        return Reply(202, b"")

    def _status(self, key: tuple[str, str]) -> dict[str, str]:
        if self.types[key] == "Provisioning":
            self.registering -= 1
            if self.registering < 0:
                self.types[key] = "Failed" if self.fails else "Available"
        return {"Status": self.types[key], "StatusDetails": self.fails}

    def _application(self, call: Call, path: str) -> Reply:
        self.expect(call.query.get("api-version") == "6.0", "no version of the API")
        if path == "$/Create" and call.method == "POST":
            return self._create(json.loads(call.body))
        identity, _, action = path.partition("/$/")
        application = self.applications.get(identity)
        if application is None:
            return Reply(204, b"")
        if not action and call.method == "GET":
            known = {"Id": identity, "TypeName": application.type, "TypeVersion": application.version}
            return Reply(200, {**known, "Status": "Ready"})
        if action == "Delete" and call.method == "POST":
            del self.applications[identity]
            return Reply(200, b"")
        if action == "Upgrade" and call.method == "POST":
            return self._upgrade(application, json.loads(call.body))
        if action == "GetUpgradeProgress" and call.method == "GET":
            return self._progress()
        return Reply(405, b"")

    def _create(self, body: dict[str, Any]) -> Reply:
        key = body["TypeName"], body["TypeVersion"]
        if self.types.get(key) != "Available":
            return self._error(404, "FABRIC_E_APPLICATION_TYPE_NOT_FOUND", "Application type and version not found")
        self.expect(body["Name"].startswith("fabric:/"), f"no name of an application: {body['Name']}")
        parameters = {one["Key"]: one["Value"] for one in body["ParameterList"]}
        identity = body["Name"].removeprefix("fabric:/").replace("/", "~")
        self.applications[identity] = Application(*key, parameters)
        return Reply(201, b"")

    def _upgrade(self, application: Application, body: dict[str, Any]) -> Reply:
        if self.types.get((application.type, body["TargetApplicationTypeVersion"])) != "Available":
            return self._error(404, "FABRIC_E_APPLICATION_TYPE_NOT_FOUND", "Application type and version not found")
        self.expect(body["UpgradeKind"] == "Rolling", "an upgrade of no kind")
        monitored = body["RollingUpgradeMode"] == "Monitored"
        self.expect(monitored == ("MonitoringPolicy" in body), "a policy that does not fit the mode")
        self.upgrades.append(body)
        if "RollingBackCompleted" not in self.states:
            application.version = body["TargetApplicationTypeVersion"]
            application.parameters = {one["Key"]: one["Value"] for one in body["Parameters"]}
        return Reply(202, b"")

    def _progress(self) -> Reply:
        state = self.states.pop(0) if len(self.states) > 1 else self.states[0]
        done = state == "RollingForwardCompleted"
        domains = [{"Name": "UD0", "State": "Completed"}, {"Name": "UD1", "State": "Completed" if done else "Pending"}]
        failure = {"FailureReason": "HealthCheck"} if "Back" in state else {}
        return Reply(200, {"UpgradeState": state, "UpgradeDomains": domains, **failure})

    def _error(self, status: int, code: str, message: str) -> Reply:
        return Reply(status, {"Error": {"Code": code, "Message": message}})


@dataclass
class Tenant(Double):
    """Entra for accounts with a password."""

    tenant: str
    client: str
    cluster: str
    token: str
    passwords: dict[str, str] = field(default_factory=lambda: {"ada@example.com": "pass-word-0001"})
    second_factor: bool = False

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, call: Call) -> Reply:
        if (call.method, call.path) != ("POST", f"/{self.tenant}/oauth2/v2.0/token"):
            return Reply(400, {"error": "invalid_request", "error_description": "AADSTS90002: Tenant not found."})
        form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
        wanted = {"grant_type": "password", "client_id": self.client, "scope": f"{self.cluster}/.default"}
        for name, value in wanted.items():
            self.expect(form.get(name) == value, f"{name} is {form.get(name)}")
        if self.passwords.get(form["username"]) != form["password"]:
            told = "AADSTS50126: Error validating credentials due to invalid username or password."
            return Reply(400, {"error": "invalid_grant", "error_description": f"{told}\r\nTrace ID: 0"})
        if self.second_factor:
            told = "AADSTS50076: Due to a configuration change you must use multi-factor authentication."
            return Reply(400, {"error": "interaction_required", "error_description": told})
        return Reply(200, {"token_type": "Bearer", "expires_in": 3599, "access_token": self.token})
