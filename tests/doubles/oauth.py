"""OAuth token endpoints that give new access tokens for refresh tokens: GitHub's (each is good once) and Bitbucket's."""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from urllib.parse import parse_qs

from tests.doubles.web import Call, Double, Reply


@dataclass
class Grants(Double):
    """`kind` is `github` or `bitbucket`; `refresh` are the refresh tokens that are good now."""

    kind: str = "github"
    client: str = "Iv1.0123456789"
    secret: str = "oauth-client-secret-0001"
    refresh: set[str] = field(default_factory=lambda: {"refresh-token-0001"})
    access: set[str] = field(default_factory=set)
    lifetime: int = 28800
    given: int = 0

    def __post_init__(self) -> None:
        super().__init__()

    def answer(self, call: Call) -> Reply:
        path = "/login/oauth/access_token" if self.kind == "github" else "/site/oauth2/access_token"
        if call.method == "POST" and call.path == path:
            return self._token(call)
        if call.path in {"/api/v3/user", "/2.0/user"}:
            return self._user(call)
        return Reply(404, {"message": "Not Found"})

    def _user(self, call: Call) -> Reply:
        shown = call.headers.get("authorization", "")
        if shown.startswith("Basic "):
            shown = base64.b64decode(shown.removeprefix("Basic ")).decode().partition(":")[2]
        if shown.removeprefix("Bearer ") not in self.access:
            return Reply(401, {"message": "Bad credentials"})
        return Reply(200, {"login": "ada", "display_name": "Ada"}, {"X-OAuth-Scopes": "repo"})

    def _token(self, call: Call) -> Reply:
        self.expect(call.headers.get("accept") == "application/json", "the answer would be a form")
        form = {name: values[0] for name, values in parse_qs(call.body.decode()).items()}
        self.expect(form.get("grant_type") == "refresh_token", f"another grant: {form.get('grant_type')}")
        shown = (form.get("client_id", ""), form.get("client_secret", ""))
        if self.kind == "bitbucket":
            header = call.headers.get("authorization", "").removeprefix("Basic ")
            name, _, secret = base64.b64decode(header).decode().partition(":")
            shown = (name, secret)
        if shown != (self.client, self.secret):
            return self._refused("incorrect_client_credentials", "invalid_client", "The client is not known.")
        if form.get("refresh_token") not in self.refresh:
            return self._refused("bad_refresh_token", "invalid_grant", "The refresh token is incorrect or expired.")
        self.given += 1
        token = f"access-{secrets.token_hex(8)}"
        self.access = {token}
        if self.kind == "github":
            self.refresh = {f"refresh-{secrets.token_hex(8)}"}  # each is good once
        (refresh,) = self.refresh
        body = {"access_token": token, "token_type": "bearer", "expires_in": self.lifetime, "refresh_token": refresh}
        return Reply(200, body)

    def _refused(self, github: str, standard: str, text: str) -> Reply:
        if self.kind == "github":  # which says 200 to everything
            return Reply(200, {"error": github, "error_description": text})
        return Reply(401 if standard == "invalid_client" else 400, {"error": standard, "error_description": text})
