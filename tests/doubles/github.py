"""GitHub's REST API as an Enterprise Server has it: the account of a token, and installations of one app."""

from __future__ import annotations

import base64
import datetime as dt
import re
import time
from dataclasses import dataclass

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from tests.doubles.web import Call, Double, Reply

PREFIX = "/api/v3"
VERSION = "2022-11-28"
MOST_SECONDS = 600
"""How long an app's assertion may be good for."""


@dataclass(frozen=True)
class Account:
    """Who a token belongs to; `scopes` is None for a fine-grained token, `forbidden` the headers of a refusal."""

    login: str
    scopes: str | None = "repo, user"
    forbidden: dict[str, str] | None = None
    password: bool = False


class GitHub(Double):
    """Strict about paths, methods, headers and signatures."""

    def __init__(self) -> None:
        super().__init__()
        self.accounts: dict[str, Account] = {}
        self.app = "424242"
        self.installations = {"77": "octo-org"}
        self.lifetime = 3600.0
        self.issued: dict[str, float] = {}
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.private_key = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,  # as GitHub hands them out
            serialization.NoEncryption(),
        ).decode()
        self._public = key.public_key()

    def answer(self, call: Call) -> Reply:
        self.expect(call.headers.get("accept") == "application/vnd.github+json", "Accept is not GitHub's")
        self.expect(call.headers.get("x-github-api-version") == VERSION, "the version of the API is missing")
        self.expect(bool(call.headers.get("user-agent")), "requests without User-Agent are refused")
        path = call.path.removeprefix(PREFIX)
        if not call.path.startswith(f"{PREFIX}/"):
            return Reply(404, {"message": "Not Found"})
        if found := re.fullmatch(r"/app/installations/(\d+)/access_tokens", path):
            return self._issue(call, found[1])
        routes = {
            "/user": self._user,
            "/app/installations": self._installations,
            "/installation/repositories": self._repositories,
        }
        route = routes.get(path)
        if route is None or call.method != "GET":
            return Reply(404, {"message": "Not Found"})
        return route(call)

    def _user(self, call: Call) -> Reply:
        kind, _, text = call.headers.get("authorization", "").partition(" ")
        username, _, token = base64.b64decode(text).decode().partition(":") if kind == "Basic" else ("", "", text)
        account = self.accounts.get(token)
        if account is None or (account.password and username != account.login):
            return Reply(401, {"message": "Bad credentials"})
        if account.forbidden is not None:
            return Reply(403, {"message": "Resource not accessible"}, account.forbidden)
        headers = {} if account.scopes is None else {"X-OAuth-Scopes": account.scopes}
        return Reply(200, {"login": account.login, "id": 1}, headers)

    def _is_app(self, call: Call) -> bool:
        kind, _, assertion = call.headers.get("authorization", "").partition(" ")
        if kind != "Bearer":
            return False
        try:
            claims = jwt.decode(
                assertion, self._public, algorithms=["RS256"], options={"require": ["iat", "exp", "iss"]}
            )
        except jwt.PyJWTError as error:
            self.complaints.append(f"assertion: {error}")
            return False
        self.expect(claims["exp"] - claims["iat"] <= MOST_SECONDS, "the assertion is good for too long")
        self.expect(claims["iat"] <= time.time(), "the assertion is of the future")
        return bool(claims["iss"] == self.app)

    def _installations(self, call: Call) -> Reply:
        if not self._is_app(call):
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        return Reply(200, [{"id": int(id_), "account": {"login": name}} for id_, name in self.installations.items()])

    def _issue(self, call: Call, installation: str) -> Reply:
        if call.method != "POST":
            return Reply(404, {"message": "Not Found"})
        if not self._is_app(call):
            return Reply(401, {"message": "A JSON web token could not be decoded"})
        if installation not in self.installations:
            return Reply(404, {"message": "Not Found"})
        ends = time.time() + self.lifetime
        token = f"ghs_installation_{len(self.issued) + 1}"
        self.issued[token] = ends
        shown = dt.datetime.fromtimestamp(ends, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return Reply(201, {"token": token, "expires_at": shown, "permissions": {"contents": "read"}})

    def _repositories(self, call: Call) -> Reply:
        kind, _, token = call.headers.get("authorization", "").partition(" ")
        if kind.lower() not in {"token", "bearer"} or self.issued.get(token, 0) < time.time():
            return Reply(401, {"message": "Bad credentials"})
        return Reply(200, {"total_count": 3, "repositories": [{"full_name": "octo-org/one"}]})
