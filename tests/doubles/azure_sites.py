"""App Service: apps of the management API, and the deployment service (Kudu) of each."""

from __future__ import annotations

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.azure import SITES, Azure, allowed, error
from tests.doubles.azure_management import Management
from tests.doubles.web import Call, Reply

from sluice.plugin import Secret, basic

VERSIONS = {"2022-03-01"}
_SITE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/Microsoft.Web/sites/(?P<name>[^/]+)"
    r"(/slots/(?P<slot>[^/]+))?(?P<rest>/config/\w+(/list)?)?",
    re.IGNORECASE,
)


@dataclass
class Site:
    """An app, or a slot; `contents` are the files of the last package, `states` what a deployment goes through."""

    name: str
    group: str = "web"
    settings: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    kind: str = ""
    states: tuple[int, ...] = (1, 2, 4)
    password: str = "kudu-password-0123"
    deployed_by: str = ""


class Sites:
    """Adds itself to a management API, and serves the deployment services of its apps."""

    def __init__(self, azure: Azure, management: Management) -> None:
        self.azure = azure
        self.sites: dict[str, Site] = {}
        self._waiting: dict[str, list[int]] = {}
        management.parts.append(self.answer)
        azure.services[f".{SITES}"] = self._repository

    def add(self, name: str, slot: str = "") -> Site:
        full = f"{name}-{slot}" if slot else name
        self.sites[full] = Site(full)
        return self.sites[full]

    def answer(self, call: Call) -> Reply | None:
        if re.fullmatch(r"/subscriptions/[^/]+/resources", call.path):
            return allowed(self.azure, call, versions={"2021-04-01"}) or self._listed(call)
        found = _SITE.fullmatch(call.path)
        if found is None:
            return None
        if refusal := allowed(self.azure, call, versions=VERSIONS):
            return refusal
        full = f"{found['name']}-{found['slot']}" if found["slot"] else found["name"]
        site = self.sites.get(full)
        if site is None or site.group != found["group"]:
            return Reply(404, error("ResourceNotFound", f"The Resource 'Microsoft.Web/sites/{full}' was not found."))
        return self._site(call, site, found["rest"] or "")

    def _listed(self, call: Call) -> Reply:
        name = re.fullmatch(
            r"resourceType EQ 'Microsoft.Web/sites' AND name EQ '([^']+)'", call.query.get("$filter", "")
        )
        self.azure.expect(name is not None, f"the filter {call.query}")
        site = self.sites.get(name[1] if name else "")
        path = (
            f"/subscriptions/{self.azure.subscription}/resourceGroups/{site.group}/providers/Microsoft.Web/sites/{site.name}"
            if site
            else ""
        )
        return Reply(200, {"value": [{"id": path}] if site else []})

    def _site(self, call: Call, site: Site, rest: str) -> Reply:
        if rest == "/config/appsettings/list":
            self.azure.expect(call.method == "POST", "settings are listed by POST")
            return Reply(200, {"properties": site.settings})
        if rest == "/config/appsettings" and call.method == "PUT":
            site.settings = dict(json.loads(call.body)["properties"])
            return Reply(200, {"properties": site.settings})
        if rest == "/config/web" and call.method == "PATCH":
            site.configuration |= json.loads(call.body)["properties"]
            return Reply(200, {"properties": site.configuration})
        self.azure.expect(call.method == "GET" and not rest, f"{call.method} {rest}")
        hosts = [
            {"name": f"{site.name}.azurewebsites.net", "hostType": "Standard"},
            {"name": f"{site.name}.{SITES}", "hostType": "Repository"},
        ]
        return Reply(200, {"properties": {"defaultHostName": hosts[0]["name"], "hostNameSslStates": hosts}})

    def _repository(self, call: Call) -> Reply:
        host = call.headers["host"].removesuffix(":443")
        site = self.sites.get(host.removesuffix(f".{SITES}"))
        if site is None:
            return Reply(404, {})
        caller = self.azure.entra.caller(call, "https://management.azure.com")
        by_profile = call.headers.get("authorization") == basic(f"${site.name}", Secret(site.password)).reveal()
        if not by_profile and (caller is None or caller["appid"] not in self.azure.readers):
            return Reply(401, {})
        site.deployed_by = "profile" if by_profile else "token"
        if call.path == "/api/environment":
            return Reply(200, {"version": "1"})
        if call.path in {"/api/zipdeploy", "/api/publish"} and call.method == "POST":
            return self._deploy(call, site, host)
        if call.path == "/api/deployments/latest":
            waiting = self._waiting[site.name]
            status = waiting.pop(0) if len(waiting) > 1 else waiting[0]
            return Reply(
                200, {"id": "7", "status": status, "progress": f"state {status}"}, headers={"Retry-After": "0"}
            )
        if call.path == "/api/deployments/7/log":
            return Reply(200, [{"message": "copying files"}, {"message": "disk is full"}])
        return Reply(404, {})

    def _deploy(self, call: Call, site: Site, host: str) -> Reply:
        site.kind = call.query.get("type", "zip") if call.path == "/api/publish" else "zip"
        asked = call.query.get("async" if call.path == "/api/publish" else "isAsync")
        self.azure.expect(asked == "true", "a deployment is waited for by looking at it")
        if site.kind == "zip":
            with zipfile.ZipFile(io.BytesIO(call.body)) as archive:
                site.contents = {name: archive.read(name) for name in archive.namelist()}
        else:
            site.contents = {call.query.get("path", ""): call.body}
        self._waiting[site.name] = list(site.states)
        return Reply(202, None, headers={"Location": f"https://{host}/api/deployments/latest?deployer=Sluice"})
