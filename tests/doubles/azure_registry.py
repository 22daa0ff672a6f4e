"""Entra and an Azure Container Registry, as strict about what they are sent as the real ones."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qs

import jwt
from cryptography import x509
from tests.doubles.web import Call, Double, Reply

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "https://containerregistry.azure.net/.default"


class AzureRegistry(Double):
    """One server for both: Entra's token endpoint, the identity endpoint of a host, and the registry's exchange."""

    def __init__(self, *, tenant: str, application: str, certificate: x509.Certificate) -> None:
        super().__init__()
        self.tenant = tenant
        self.application = application
        self.certificate = certificate
        self.header = secrets.token_hex(8)
        self.issued: set[str] = set()
        self.refresh = f"refresh-{secrets.token_hex(8)}"
        self.busy = 0
        """How often the exchange says first that it is asked too often."""

    @property
    def server(self) -> str:
        return self.url.partition("://")[2]

    def answer(self, call: Call) -> Reply:
        form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
        if call.path.endswith("/.well-known/openid-configuration"):
            base = f"{self.url}/{self.tenant}"
            return Reply(
                200,
                {
                    "issuer": f"{base}/v2.0",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                },
            )
        if call.path == f"/{self.tenant}/oauth2/v2.0/token":
            return self._application(form)
        if call.path == "/identity":
            return self._machine(call)
        if call.path == "/oauth2/exchange":
            return self._exchange(call, form)
        return Reply(404, {})

    def _application(self, form: Mapping[str, str]) -> Reply:
        self.expect(form.get("client_assertion_type") == ASSERTION, "a certificate proves itself by an assertion")
        self.expect(form.get("scope") == SCOPE, f"the scope is {form.get('scope')}")
        try:
            claims = jwt.decode(
                form.get("client_assertion", ""),
                self.certificate.public_key(),  # type: ignore[arg-type]  # the kinds of keys that sign
                algorithms=["RS256", "PS256"],
                audience=f"{self.url}/{self.tenant}/oauth2/v2.0/token",
                issuer=self.application,
                options={"require": ["exp", "sub", "jti"]},
            )
        except jwt.PyJWTError as error:
            return Reply(401, {"error": "invalid_client", "error_description": f"AADSTS700027: {error}"})
        self.expect(claims["sub"] == self.application, "the subject is the application")
        return Reply(200, {"token_type": "Bearer", "expires_in": 3600, "access_token": self._token()})

    def _machine(self, call: Call) -> Reply:
        if call.headers.get("x-identity-header") != self.header:
            return Reply(403, {"message": "wrong header"})
        self.expect(call.query.get("resource") == SCOPE.removesuffix("/.default"), "the resource is the registry's")
        return Reply(200, {"access_token": self._token(), "expires_on": "4102444800", "token_type": "Bearer"})

    def _exchange(self, call: Call, form: Mapping[str, str]) -> Reply:
        self.expect(call.method == "POST" and not call.query, "the token is in the body of a POST")
        if self.busy:
            self.busy -= 1
            return Reply(429, {}, headers={"Retry-After": "0"})
        right = form.get("grant_type") == "access_token" and form.get("service") == self.server
        if not right or form.get("tenant") != self.tenant or form.get("access_token") not in self.issued:
            return Reply(401, {"errors": [{"code": "UNAUTHORIZED"}]})
        return Reply(200, {"refresh_token": self.refresh})

    def _token(self) -> str:
        token = secrets.token_hex(20)
        self.issued.add(token)
        return token
