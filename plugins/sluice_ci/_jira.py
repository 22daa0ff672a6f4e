"""Jira: its REST API (version 2, which Cloud and Data Center share), and how requests are authenticated."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from sluice.plugin import Answer, Connection, Probe, Secret, VerificationError, basic
from sluice_ci._service import BODY, Product
from sluice_ci._words import printable

PRODUCT = Product(
    name="Jira",
    address="the URL is that of the site, such as https://example.atlassian.net/",
    permission="give the account a product role of Jira, and the projects' permissions 'Browse projects', "
    "'Edit issues', 'Transition issues' and 'Add comments'",
)
ASSERTION_SECONDS = 180
"""How long a signed request is good for."""


def verify(connection: Connection) -> str:
    """Ask who the credentials belong to."""
    account = PRODUCT.json(connection, Jira(connection).ask("myself"))
    name = account.get("displayName") or account.get("name")
    if not name:
        raise VerificationError("there is no Jira at the URL", where=connection.name, do=PRODUCT.address)
    return f"Jira knows the credentials as {printable(name)}"


@dataclass(frozen=True, slots=True)
class Jira:
    """A Jira site."""

    connection: Connection

    def ask(self, path: str, *, method: str = "GET", body: object = None) -> Answer:
        """What Jira answers to a request below `rest/api/2/`; `body` is sent as JSON."""
        url = f"{self.connection.url.rstrip('/')}/rest/api/2/{path}"
        headers = {"Accept": "application/json"}
        if body is not None:
            # Data Center refuses changes by what looks like a browser unless told that it is none
            headers |= {"Content-Type": "application/json", "X-Atlassian-Token": "no-check"}
        probe = Probe(connection=self.connection, authorization=self._authorization(method, url), headers=headers)
        sent = b"" if body is None else json.dumps(body).encode()
        answer = probe.ask(url, method=method, body=sent, limit=BODY, follow=False)
        if "captcha" in answer.headers.get("x-authentication-denied-reason", "").casefold():
            raise VerificationError(
                "Jira wants a CAPTCHA from the account after failed attempts",
                where=self.connection.name,
                why=answer.shown,
                do="log in to Jira in a browser once, then check the password or token of the connection",
            )
        return answer

    def _authorization(self, method: str, url: str) -> Secret:
        connection = self.connection
        if token := connection.secret("apitoken"):
            return Secret(f"Bearer {token.reveal()}")
        if password := connection.secret("password"):
            return basic(connection.text("username"), password)
        secret, key = connection.secret("sharedSecret"), connection.text("appKey")
        if not secret or not key:
            raise VerificationError(
                "the connection has no credentials that could be used",
                where=connection.name,
                why="the app of Azure Pipelines keeps its own secret",
                do="create it with the scheme UsernamePassword (an account's API token), or give it appKey and sharedSecret",
            )
        return _signed(connection.url, key, secret, method, url)


def _signed(base: str, key: str, secret: Secret, method: str, url: str) -> Secret:
    """The authorization of an Atlassian Connect app: an assertion that is good for this one request."""
    import jwt

    now = int(time.time())
    claims = {
        "iss": key,
        "iat": now,
        "exp": now + ASSERTION_SECONDS,
        "qsh": hashlib.sha256(canonical(method, base, url).encode()).hexdigest(),
    }
    return Secret(f"JWT {jwt.encode(claims, secret.reveal(), algorithm='HS256')}")


def canonical(method: str, base: str, url: str) -> str:
    """The request as Connect signs it: method, path below the site, sorted query."""
    parts = urlsplit(url)
    path = parts.path.removeprefix(urlsplit(base).path.rstrip("/")).rstrip("/") or "/"
    values: dict[str, list[str]] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        values.setdefault(quote(name, safe="-._~"), []).append(quote(value, safe="-._~"))
    query = "&".join(f"{name}={','.join(sorted(values[name]))}" for name in sorted(values))
    return f"{method.upper()}&{path.replace('&', '%26')}&{query}"


def complaints(answer: Answer) -> str:
    """What Jira says is wrong with a request."""
    body = answer.json()
    if not isinstance(body, Mapping):
        return answer.shown
    messages = [str(one) for one in body.get("errorMessages") or ()]
    errors: Any = body.get("errors")
    if isinstance(errors, Mapping):
        messages += [f"{name}: {text}" for name, text in errors.items()]
    return printable("; ".join(messages), most=500) or answer.shown
