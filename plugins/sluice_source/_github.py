"""GitHub and GitHub Enterprise Server: who a token belongs to, and installation tokens issued with an app's key."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from sluice.plugin import Answer, Connection, Probe, Secret, VerificationError, basic
from sluice_source._oauth import without_grant
from sluice_source._rules import GITHUB_HOST
from sluice_source._words import printable

BODY = 1 << 20
HEADERS = {"Accept": "application/vnd.github+json", "X-GitHub-Api-Version": "2022-11-28"}
CLOCK_SECONDS = 60
"""So much may our clock and GitHub's differ."""
ASSERTION_SECONDS = 540
"""How long an assertion of an app is good for; GitHub allows ten minutes."""
RENEW_SECONDS = 300
"""An installation token is not handed out any more when it has less than this left."""
SCOPE = "repo"


@dataclass(frozen=True, slots=True)
class Issued:
    """An installation token and when it ends (seconds since the epoch)."""

    token: Secret
    ends: float


_issued: dict[str, Issued] = {}
_lock = threading.Lock()


def verify(connection: Connection) -> str:
    """Answer who the credentials belong to; raises `VerificationError` that tells the reasons apart."""
    if _is_app(connection):
        return _verify_installation(connection)
    token = _token(connection)
    username = connection.text("username")
    sent = token or connection.secret("password")
    if not sent:
        raise VerificationError("the connection has no token", where=connection.name)
    probe = _probe(connection, basic("token" if token else username, sent))
    answer = probe.ask(f"{api(connection)}user", limit=BODY)
    body = _checked(connection, answer)
    text = f"{answer.origin} knows the credentials as {printable(body.get('login'))}"
    scopes = answer.headers.get("x-oauth-scopes")
    if scopes is not None and SCOPE not in {one.strip() for one in scopes.split(",")}:
        text += f"; the token has not the scope '{SCOPE}': private repositories stay closed to it"
    return text


def prepare(connection: Connection) -> Connection:
    """What a use receives: tasks know the schemes OAuth and Token, each with `AccessToken`, and no other."""
    if connection.scheme.casefold() == "oauth2":
        return dataclasses.replace(without_grant(connection), scheme="OAuth")
    if connection.scheme.casefold() != "installationtoken":
        return connection
    token = installation_token(connection) if _is_app(connection) else connection.secret("InstallationAccessToken")
    if not token:
        raise VerificationError(
            "the connection has no installation token",
            where=connection.name,
            do="give it the app's id and private key (AppId, PrivateKey)",
        )
    parameters: dict[str, str | Secret] = {"ConfigurationId": connection.text("ConfigurationId"), "AccessToken": token}
    return dataclasses.replace(connection, scheme="Token", parameters=parameters)


def installation_token(connection: Connection) -> Secret:
    """A token of the installation, issued anew when the last one is about to end."""
    key, now = _identity(connection), time.time()
    with _lock:
        known = _issued.get(key)
        if known is None or known.ends - now < RENEW_SECONDS:
            known = _issued[key] = _issue(connection, now)
        return known.token


def api(connection: Connection) -> str:
    """The root of the API, with a slash at its end."""
    base = connection.url or f"https://{GITHUB_HOST}"
    if urlsplit(base).hostname == GITHUB_HOST:
        return f"https://api.{GITHUB_HOST}/"
    return f"{base.rstrip('/')}/api/v3/"


def _is_app(connection: Connection) -> bool:
    return bool(connection.scheme.casefold() == "installationtoken" and connection.secret("PrivateKey"))


def _identity(connection: Connection) -> str:
    secret = connection.secret("PrivateKey")
    parts = (connection.id, connection.url, connection.text("AppId"), connection.text("InstallationId"))
    return hashlib.sha256("\0".join((*parts, secret.reveal() if secret else "")).encode()).hexdigest()


def _issue(connection: Connection, now: float) -> Issued:
    probe = _probe(connection, Secret(f"Bearer {_assertion(connection, now).reveal()}"))
    number = connection.text("InstallationId") or _only_installation(connection, probe)
    answer = probe.ask(
        f"{api(connection)}app/installations/{number}/access_tokens", method="POST", body=b"{}", limit=BODY
    )
    if answer.status == 404:
        raise VerificationError(
            f"the app has no installation {number}",
            where=connection.name,
            why=answer.shown,
            do="compare InstallationId with the number in the address of the installation's settings page",
        )
    body = _checked(connection, answer)
    token, ends = body.get("token"), body.get("expires_at")
    if not isinstance(token, str) or not token or not isinstance(ends, str):
        raise VerificationError(f"{answer.origin} issued no token", where=connection.name, why=answer.shown)
    try:
        until = dt.datetime.fromisoformat(ends).timestamp()
    except ValueError:
        until = now  # used once, and issued anew for the next use
    return Issued(Secret(token), until)


def _assertion(connection: Connection, now: float) -> Secret:
    """The app's own statement of who it is, signed with its key."""
    import jwt

    app, key = connection.text("AppId"), connection.secret("PrivateKey")
    if not app or not key:
        raise VerificationError(
            "installation tokens need the app's id and its private key", where=connection.name, do="set AppId"
        )
    claims = {"iat": int(now) - CLOCK_SECONDS, "exp": int(now) + ASSERTION_SECONDS, "iss": app}
    try:
        return Secret(jwt.encode(claims, key.reveal(), algorithm="RS256"))
    except (ValueError, TypeError, jwt.PyJWTError):
        raise VerificationError(
            "the app's private key cannot be read",
            where=connection.name,
            do="enter the whole PEM file that GitHub gave",
        ) from None


def _only_installation(connection: Connection, probe: Probe) -> str:
    found = _checked_list(connection, probe.ask(f"{api(connection)}app/installations", limit=BODY))
    if len(found) != 1:
        accounts = [printable((one.get("account") or {}).get("login")) for one in found]
        raise VerificationError(
            f"the app has {len(found)} installations",
            where=connection.name,
            why=f"installed for {', '.join(accounts)}" if accounts else "it is installed nowhere",
            do="set InstallationId to the number of the one that is meant",
        )
    return str(int(found[0].get("id", 0)))


def _verify_installation(connection: Connection) -> str:
    token = installation_token(connection)
    probe = _probe(connection, Secret(f"Token {token.reveal()}"))
    answer = probe.ask(f"{api(connection)}installation/repositories?per_page=1", limit=BODY)
    body = _checked(connection, answer)
    count = body.get("total_count")
    return f"{answer.origin} issued an installation token that opens {count if isinstance(count, int) else 'some'} repositories"


def _token(connection: Connection) -> Secret | None:
    keys = ("InstallationAccessToken", "AccessToken", "apitoken")
    return next((token for key in keys if (token := connection.secret(key))), None)


def _probe(connection: Connection, authorization: Secret) -> Probe:
    return Probe(
        connection=connection,
        authorization=authorization,
        headers=HEADERS,
        trust_any_certificate=connection.text("acceptUntrustedCerts") == "true",
    )


def _checked(connection: Connection, answer: Answer) -> Mapping[str, Any]:
    body = _success(connection, answer)
    if not isinstance(body, dict):
        raise _no_github(connection, answer)
    return body


def _checked_list(connection: Connection, answer: Answer) -> list[Mapping[str, Any]]:
    body = _success(connection, answer)
    if not isinstance(body, list):
        raise _no_github(connection, answer)
    return [one for one in body if isinstance(one, dict)]


def _success(connection: Connection, answer: Answer) -> object:
    if answer.ok:
        return answer.json()
    what, why = "GitHub answered with an error", answer.shown
    if answer.status == 401:
        what = "GitHub does not accept the credentials: they are wrong, expired or revoked"
    elif answer.status in {403, 429} and answer.headers.get("x-ratelimit-remaining") == "0":
        what = "GitHub answers no more questions for now: the rate limit is used up"
    elif answer.status == 403 and "x-github-sso" in answer.headers:
        what = "the token is not authorized for the organization's single sign-on"
    elif answer.status == 403:
        what = "the token lacks a scope or permission"
        wanted = answer.headers.get("x-accepted-oauth-scopes") or answer.headers.get("x-accepted-github-permissions")
        why += f"; it takes one of: {printable(wanted)}" if wanted else ""
    elif answer.status == 404:
        raise _no_github(connection, answer)
    raise VerificationError(what, where=connection.name, why=why)


def _no_github(connection: Connection, answer: Answer) -> VerificationError:
    return VerificationError(
        f"there is no GitHub API at {answer.origin}",
        where=connection.name,
        why=answer.shown,
        do="the URL of a GitHub Enterprise Server is its address, such as https://github.example.com/",
    )
