"""A key vault: secrets by name, for whoever shows a token that is for vaults and has a role."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.doubles.azure import VAULTS, Azure, error
from tests.doubles.web import Call, Reply

VERSIONS = {"2016-10-01", "7.4", "7.5"}
PAGE = 2


@dataclass
class StoredSecret:
    """A secret as the vault keeps it; `expires` is seconds since the epoch."""

    value: str = field(repr=False)
    enabled: bool = True
    expires: int = 0

    @property
    def attributes(self) -> dict[str, Any]:
        return {"enabled": self.enabled, **({"exp": self.expires} if self.expires else {})}


class Vault:
    """Serves itself in `azure` as `<name>.vault.azure.net`, its list two to a page."""

    def __init__(self, azure: Azure, name: str = "depot") -> None:
        self.azure = azure
        self.host = f"{name}.{VAULTS}"
        self.secrets: dict[str, StoredSecret] = {}
        self.elsewhere = ""
        """Where the list is said to go on, instead of here."""
        self.busy = 0
        azure.services[self.host] = self.answer

    def answer(self, call: Call) -> Reply:
        caller = self.azure.entra.caller(call, "https://vault.azure.net")
        if caller is None:
            challenge = f'Bearer authorization="https://login.microsoftonline.com/{self.azure.entra.tenant}", resource="https://vault.azure.net"'
            return Reply(
                401, error("Unauthorized", "AKV10000: Request is missing a token."), {"WWW-Authenticate": challenge}
            )
        if caller["appid"] not in self.azure.readers:
            return Reply(403, error("Forbidden", "The user does not have secrets get permission on key vault."))
        if call.query.get("api-version") not in VERSIONS:
            return Reply(400, error("BadParameter", "The specified version is not recognized."))
        if self.busy:
            self.busy -= 1
            return Reply(429, error("Throttled", "Request was not processed."), headers={"Retry-After": "0"})
        self.azure.expect(call.method == "GET", "reading changes nothing")
        parts = call.path.strip("/").split("/")
        if parts == ["secrets"]:
            return self._list(call)
        return self._get(parts[1]) if len(parts) == 2 and parts[0] == "secrets" else Reply(404, error("NotFound", "?"))

    def _list(self, call: Call) -> Reply:
        start = int(call.query.get("$skiptoken", "0"))
        names = sorted(self.secrets)
        page: dict[str, Any] = {
            "value": [
                {"id": f"https://{self.host}/secrets/{name}", "attributes": self.secrets[name].attributes}
                for name in names[start : start + PAGE]
            ]
        }
        base = self.elsewhere or f"https://{self.host}"
        following = f"{base}/secrets?api-version={call.query['api-version']}&$skiptoken={start + PAGE}"
        page["nextLink"] = following if start + PAGE < len(names) else None
        return Reply(200, page)

    def _get(self, name: str) -> Reply:
        found = self.secrets.get(name)
        if found is None:
            return Reply(
                404, error("SecretNotFound", f"A secret with (name/id) {name} was not found in this key vault.")
            )
        if not found.enabled:
            return Reply(403, error("Forbidden", "Operation get is not allowed on a disabled secret."))
        return Reply(
            200, {"value": found.value, "id": f"https://{self.host}/secrets/{name}/1", "attributes": found.attributes}
        )
