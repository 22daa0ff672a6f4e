"""OAuth access tokens that end: new ones for a refresh token, at GitHub, an Enterprise Server and Bitbucket Cloud."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from sluice.plugin import Connection, Probe, Secret, VerificationError, basic
from sluice_source._rules import BITBUCKET_API, BITBUCKET_HOST, GITHUB_HOST
from sluice_source._words import printable

BODY = 1 << 20
KEPT_BACK = frozenset({"refreshtoken", "clientid", "clientsecret"})
"""What no use of a connection needs: with these new tokens are got, not repositories opened."""

_FORM = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
_AGAIN = "grant it again, and store both tokens: sluice connection update {name} --secret AccessToken=- --secret RefreshToken=-"
_CLIENT = "check ClientId and ClientSecret of the OAuth app: sluice connection update {name} --secret ClientSecret=-"


def seconds_left(connection: Connection, now: float) -> float | None:
    """For how long the access token is good: None where it is not renewed, 0 where that is not known."""
    if not connection.scheme.casefold().startswith("oauth") or not connection.secret("RefreshToken"):
        return None
    if not connection.secret("AccessToken"):
        return 0
    ends = connection.text("ExpiresAt")
    return max(0.0, float(ends) - now) if ends.isdecimal() else 0


def renew(connection: Connection, now: float) -> tuple[Mapping[str, Secret], float]:
    """New tokens, and when the access token ends; raises `VerificationError` that says why there are none."""
    refresh, client, secret = (
        connection.secret("RefreshToken"),
        connection.text("ClientId"),
        connection.secret("ClientSecret"),
    )
    if not refresh or not client or not secret:
        missing = "ClientSecret" if client else "ClientId"
        raise VerificationError(
            f"the access token cannot be renewed: the connection has no {missing}",
            where=connection.name,
            do=_CLIENT.format(name=connection.name),
        )
    form = {"grant_type": "refresh_token", "refresh_token": refresh.reveal()}
    probe = Probe(
        connection=connection,
        headers=_FORM,
        trust_any_certificate=connection.text("acceptUntrustedCerts") == "true",
    )
    if connection.type.casefold() == "bitbucket":
        probe = dataclasses.replace(probe, authorization=basic(client, secret))
    else:
        form |= {"client_id": client, "client_secret": secret.reveal()}
    answer = probe.ask(token_url(connection), method="POST", body=urlencode(form).encode(), limit=BODY, follow=False)
    return _tokens(connection, answer.shown, answer.json(), now)


def token_url(connection: Connection) -> str:
    """Where new tokens are got."""
    base = urlsplit(connection.url)
    if connection.type.casefold() == "bitbucket":
        host = BITBUCKET_HOST if base.hostname in {None, BITBUCKET_API} else base.netloc
        return f"{base.scheme or 'https'}://{host}/site/oauth2/access_token"
    root = connection.url.rstrip("/") or f"https://{GITHUB_HOST}"
    return f"{root}/login/oauth/access_token"


def without_grant(connection: Connection) -> Connection:
    """The connection as uses of it get it."""
    kept = {key: value for key, value in connection.parameters.items() if key.casefold() not in KEPT_BACK}
    return connection if len(kept) == len(connection.parameters) else dataclasses.replace(connection, parameters=kept)


def _tokens(connection: Connection, shown: str, body: Any, now: float) -> tuple[Mapping[str, Secret], float]:
    """What the answer holds. GitHub answers 200 for errors as well."""
    given = body if isinstance(body, dict) else {}
    token = given.get("access_token")
    if not isinstance(token, str) or not token:
        raise _refusal(connection, shown, given)
    found = {"AccessToken": Secret(token)}
    refresh = given.get("refresh_token")
    if isinstance(refresh, str) and refresh:  # where it is left out the old one stays
        found["RefreshToken"] = Secret(refresh)
    elif kept := connection.secret("RefreshToken"):
        found["RefreshToken"] = kept
    seconds = given.get("expires_in")
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and seconds > 0:
        return found, now + seconds
    return found, 0


def _refusal(connection: Connection, shown: str, given: Mapping[str, Any]) -> VerificationError:
    error, text = printable(given.get("error") or ""), printable(given.get("error_description") or "", most=300)
    why = f"{shown} ({error}: {text})" if error else shown
    if error in {"bad_refresh_token", "invalid_grant", "unauthorized"}:
        what = "the refresh token is not accepted: it was used already, has expired or was revoked"
        return VerificationError(what, where=connection.name, why=why, do=_AGAIN.format(name=connection.name))
    if error in {"incorrect_client_credentials", "invalid_client", "unauthorized_client"}:
        what = "the OAuth app's id and secret are not accepted"
        return VerificationError(what, where=connection.name, why=why, do=_CLIENT.format(name=connection.name))
    what = f"there are no new tokens at {token_url(connection)}"
    return VerificationError(what, where=connection.name, why=why)
