"""Entra's token endpoint and the alerts of Azure Monitor, as strict about what they are sent as the real ones."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from tests.doubles.web import Call, Double, Reply

FILTERS = frozenset(
    {
        "api-version",
        "targetResourceGroup",
        "targetResource",
        "alertRule",
        "monitorCondition",
        "timeRange",
        "alertState",
        "severity",
    }
)
KNOWN = {
    "monitorCondition": {"Fired", "Resolved"},
    "alertState": {"New", "Acknowledged", "Closed"},
    "severity": {"Sev0", "Sev1", "Sev2", "Sev3", "Sev4"},
    "timeRange": {"1h", "1d", "7d", "30d"},
}


class AzureMonitor(Double):
    """One server for both. `alerts` are listed two to a page, those that fit."""

    def __init__(self, *, tenant: str, application: str, key: str, subscription: str) -> None:
        super().__init__()
        self.tenant = tenant
        self.application = application
        self.key = key
        self.subscription = subscription
        self.alerts: list[dict[str, str]] = []
        self.elsewhere = ""
        """Where the list is said to go on, instead of here."""
        self._issued: set[str] = set()

    def answer(self, call: Call) -> Reply:
        if call.path.endswith("/.well-known/openid-configuration"):
            base = f"{self.url}/{self.tenant}"
            return Reply(200, {"issuer": f"{base}/v2.0", **self._endpoints(base)})
        if call.path == f"/{self.tenant}/oauth2/v2.0/token":
            return self._token({name: values[0] for name, values in parse_qs(call.body.decode()).items()})
        if call.path == f"/subscriptions/{self.subscription}/providers/Microsoft.AlertsManagement/alerts":
            return self._list(call)
        return Reply(404, {"error": {"code": "ResourceNotFound"}})

    @staticmethod
    def _endpoints(base: str) -> dict[str, str]:
        return {
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
        }

    def _token(self, form: Mapping[str, str]) -> Reply:
        self.expect(form.get("grant_type") == "client_credentials", "an application asks for itself")
        if (form.get("client_id"), form.get("client_secret")) != (self.application, self.key):
            text = "AADSTS7000215: Invalid client secret provided."
            return Reply(401, {"error": "invalid_client", "error_description": text})
        if form.get("scope") != f"{self.url}/.default":
            return Reply(400, {"error": "invalid_scope", "error_description": "AADSTS70011: the scope is not valid"})
        token = secrets.token_hex(20)
        self._issued.add(token)
        return Reply(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": token})

    def _list(self, call: Call) -> Reply:
        if call.headers.get("authorization", "").removeprefix("Bearer ") not in self._issued:
            return Reply(401, {"error": {"code": "InvalidAuthenticationToken"}})
        query = dict(call.query)
        start = int(query.pop("page", "0"))
        self.expect(call.method == "GET", "looking changes nothing")
        self.expect(query.get("api-version") == "2018-05-05", "the version is missing")
        self.expect(set(query) <= FILTERS, f"there are no filters {sorted(set(query) - FILTERS)}")
        for name, values in KNOWN.items():
            given = set(query[name].split(",")) if name in query else set()
            if not given <= values:
                return Reply(400, {"error": {"code": "BadRequest", "message": f"{name} is not valid"}})
        fitting = [one for one in self.alerts if _fits(one, query)]
        page: dict[str, Any] = {"value": [{"name": one["name"]} for one in fitting[start : start + 2]]}
        if start + 2 < len(fitting):
            page["nextLink"] = (self.elsewhere or self.url) + f"{call.path}?api-version=2018-05-05&page={start + 2}"
        return Reply(200, page)


def _fits(alert: Mapping[str, str], query: Mapping[str, str]) -> bool:
    return all(
        value.casefold() in {one.casefold() for one in query[name].split(",")}
        for name, value in alert.items()
        if name in query and name != "timeRange"
    )
