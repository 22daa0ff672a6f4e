"""Entra's token endpoint, a machine's identity endpoint, and a key vault, as strict as the real ones."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

from tests.doubles.web import Call, Double, Reply

SCOPE = "https://vault.azure.net/.default"


class AzureKeyVault(Double):
    """One server for all three; `stored` has the versions of each secret, the newest last."""

    def __init__(self, *, tenant: str, application: str, key: str) -> None:
        super().__init__()
        self.tenant = tenant
        self.application = application
        self.key = key
        self.header = secrets.token_hex(8)
        self.stored: dict[str, dict[str, str]] = {}
        self.forbidden: set[str] = set()
        self.assertions: set[str] = set()
        """Identity tokens that the application's federated credential trusts."""
        self._issued: set[str] = set()

    def answer(self, call: Call) -> Reply:
        if call.path.endswith("/.well-known/openid-configuration"):
            base = f"{self.url}/{self.tenant}"
            ends = {
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
            return Reply(200, {"issuer": f"{base}/v2.0", **ends})
        if call.path == f"/{self.tenant}/oauth2/v2.0/token":
            return self._token({name: values[0] for name, values in parse_qs(call.body.decode()).items()})
        if call.path == "/identity":
            return self._machine(call)
        if call.path.startswith("/secrets/"):
            return self._secret(call)
        return Reply(404, {"error": {"code": "ResourceNotFound"}})

    def _token(self, form: Mapping[str, str]) -> Reply:
        self.expect(form.get("grant_type") == "client_credentials", "an application asks for itself")
        proven = form.get("client_secret") == self.key or form.get("client_assertion", "") in self.assertions
        if form.get("client_id") != self.application or not proven:
            text = "AADSTS7000215: Invalid client secret provided."
            return Reply(401, {"error": "invalid_client", "error_description": text})
        if form.get("scope") != SCOPE:
            return Reply(400, {"error": "invalid_scope", "error_description": "AADSTS70011: the scope is not valid"})
        return Reply(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": self._issue()})

    def _machine(self, call: Call) -> Reply:
        if call.headers.get("x-identity-header") != self.header:
            return Reply(403, {"message": "wrong header"})
        self.expect(call.query.get("resource") == SCOPE.removesuffix("/.default"), "the resource is that of vaults")
        return Reply(200, {"access_token": self._issue(), "expires_on": "4102444800", "token_type": "Bearer"})

    def _issue(self) -> str:
        token = secrets.token_hex(20)
        self._issued.add(token)
        return token

    def _secret(self, call: Call) -> Reply:
        self.expect(call.method == "GET", "looking changes nothing")
        if call.headers.get("authorization", "").removeprefix("Bearer ") not in self._issued:
            return Reply(401, {"error": {"code": "Unauthorized"}})
        if call.query.get("api-version") != "7.4":
            return Reply(400, {"error": {"code": "BadParameter", "message": "api-version must be specified"}})
        _, _, name, *version = call.path.split("/")
        if name in self.forbidden:
            return Reply(403, {"error": {"code": "Forbidden"}})
        versions = self.stored.get(name, {})
        chosen = version[0] if version else next(reversed(versions), "")
        if chosen not in versions:
            return Reply(404, {"error": {"code": "SecretNotFound"}})
        return Reply(200, {"value": versions[chosen], "id": f"{self.url}/secrets/{name}/{chosen}"})
