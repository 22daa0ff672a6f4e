"""An Azure Container Registry: it exchanges tokens of Entra for its own, as strict as the real one."""

from __future__ import annotations

import secrets
from urllib.parse import parse_qs

from tests.doubles.azure import REGISTRIES, Azure
from tests.doubles.web import Call, Reply

from sluice.plugin import Secret, basic


class Registry:
    """Serves itself in `azure` as `<name>.azurecr.io`."""

    def __init__(self, azure: Azure, name: str = "depot") -> None:
        self.azure = azure
        self.server = f"{name}.{REGISTRIES}"
        self.refresh = f"refresh-{secrets.token_hex(8)}"
        self.busy = 0
        """How often the exchange says first that it is asked too often."""
        self._given: set[str] = set()
        azure.services[self.server] = self.answer

    def answer(self, call: Call) -> Reply:
        if call.path == "/v2/":
            return self._api(call)
        if call.path == "/oauth2/token":
            return self._token(call)
        if call.path != "/oauth2/exchange":
            return Reply(404, {})
        self.azure.expect(call.method == "POST" and not call.query, "the token is in the body of a POST")
        if self.busy:
            self.busy -= 1
            return Reply(429, {}, headers={"Retry-After": "0"})
        form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
        right = form.get("grant_type") == "access_token" and form.get("service") == self.server
        shown = Call(call.method, call.path, {}, {"authorization": f"Bearer {form.get('access_token')}"}, b"")
        caller = self.azure.entra.caller(shown, "https://containerregistry.azure.net")
        if not right or form.get("tenant") != self.azure.entra.tenant or caller is None:
            return Reply(401, {"errors": [{"code": "UNAUTHORIZED"}]})
        return Reply(200, {"refresh_token": self.refresh})

    def _api(self, call: Call) -> Reply:
        if call.headers.get("authorization", "").removeprefix("Bearer ") in self._given:
            return Reply(200, {})
        realm = f'Bearer realm="https://{self.server}/oauth2/token",service="{self.server}"'
        return Reply(401, {"errors": [{"code": "UNAUTHORIZED"}]}, headers={"WWW-Authenticate": realm})

    def _token(self, call: Call) -> Reply:
        right = basic("00000000-0000-0000-0000-000000000000", Secret(self.refresh)).reveal()
        if call.headers.get("authorization") != right or call.query.get("service") != self.server:
            return Reply(401, {"errors": [{"code": "UNAUTHORIZED"}]})
        token = secrets.token_hex(16)
        self._given.add(token)
        return Reply(200, {"access_token": token})
