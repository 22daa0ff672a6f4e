"""The alerts of Azure Monitor, as strict about what they are sent as the real ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.doubles.azure import MANAGEMENT, Azure, allowed
from tests.doubles.azure_management import Management
from tests.doubles.web import Call, Reply

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


class Monitor:
    """Adds itself to a management API. `alerts` are listed two to a page, those that fit."""

    def __init__(self, azure: Azure, management: Management) -> None:
        self.azure = azure
        self.alerts: list[dict[str, str]] = []
        self.elsewhere = ""
        """Where the list is said to go on, instead of here."""
        self._path = f"/subscriptions/{azure.subscription}/providers/Microsoft.AlertsManagement/alerts"
        management.parts.append(self.answer)

    def answer(self, call: Call) -> Reply | None:
        return self._list(call) if call.path == self._path else None

    def _list(self, call: Call) -> Reply:
        if refusal := allowed(self.azure, call, versions={"2018-05-05"}):
            return refusal
        query = dict(call.query)
        start = int(query.pop("page", "0"))
        self.azure.expect(call.method == "GET", "looking changes nothing")
        self.azure.expect(set(query) <= FILTERS, f"there are no filters {sorted(set(query) - FILTERS)}")
        for name, values in KNOWN.items():
            given = set(query[name].split(",")) if name in query else set()
            if not given <= values:
                return Reply(400, {"error": {"code": "BadRequest", "message": f"{name} is not valid"}})
        fitting = [one for one in self.alerts if _fits(one, query)]
        page: dict[str, Any] = {"value": [{"name": one["name"]} for one in fitting[start : start + 2]]}
        if start + 2 < len(fitting):
            page["nextLink"] = (
                self.elsewhere or f"https://{MANAGEMENT}"
            ) + f"{call.path}?api-version=2018-05-05&page={start + 2}"
        return Reply(200, page)


def _fits(alert: Mapping[str, str], query: Mapping[str, str]) -> bool:
    return all(
        value.casefold() in {one.casefold() for one in query[name].split(",")}
        for name, value in alert.items()
        if name in query and name != "timeRange"
    )
