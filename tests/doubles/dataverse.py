"""An environment of Power Platform with Dataverse, which takes tokens of Entra for itself alone."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.doubles.entra import Entra
from tests.doubles.web import Call, Reply

HOST = "contoso.crm4.dynamics.com"
URL = f"https://{HOST}"
ORGANIZATION = "0a0a0a0a-1111-2222-3333-444444444444"


@dataclass
class Dataverse:
    """`users` are those that the environment has, by the object id in their token."""

    entra: Entra
    users: dict[str, str] = field(default_factory=dict)
    roleless: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def answer(self, call: Call) -> Reply:
        caller = self.entra.caller(call, URL)
        if caller is None:
            return Reply(401, b"", {"WWW-Authenticate": "Bearer authorization_uri=https://login.microsoftonline.com"})
        if call.path != "/api/data/v9.2/WhoAmI" or call.method != "GET":
            return Reply(404, {"error": {"code": "0x80060888", "message": "Resource not found for the segment"}})
        if call.headers.get("odata-version") != "4.0":
            self.complaints.append("no version of OData")
        user = self.users.get(caller["oid"])
        if user is None:
            return self._error("0x80072560", "The user is not a member of the organization.")
        if user in self.roleless:
            return self._error("0x80042f09", "SecLib::RetrievePrivilegeForUser failed - no roles are assigned to user.")
        context = f"{URL}/api/data/v9.2/$metadata#Microsoft.Dynamics.CRM.WhoAmIResponse"
        ids = {"BusinessUnitId": "0b0b", "UserId": user, "OrganizationId": ORGANIZATION}
        return Reply(200, {"@odata.context": context, **ids}, {"OData-Version": "4.0"})

    def _error(self, code: str, message: str) -> Reply:
        return Reply(403, {"error": {"code": code, "message": message}})
