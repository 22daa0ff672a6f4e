"""Tries a registry: asks its API, follows the challenge as `docker login` does, and tells the reasons apart."""

from __future__ import annotations

import re
from urllib.parse import urlencode, urlsplit

from sluice.plugin import Answer, Connection, Probe, Secret, VerificationError, basic
from sluice_docker._acr import prepare
from sluice_docker._login import RegistryLogin, login_of

_PARAMETER = re.compile(r'([a-zA-Z]+)="([^"]*)"')
_MAX_TOKEN = 1 << 20


def verify(connection: Connection) -> str:
    """Log in at the registry and answer who did; raises `VerificationError`."""
    login = login_of(prepare(connection))
    shown = urlsplit(login.url).netloc
    probe = Probe(connection=connection, authorization=basic(login.username, login.password))
    challenge = _challenge(connection, probe.ask(f"{login.url}/v2/", authenticate=False), shown)
    if not challenge:
        return f"{shown} answers everybody: the password was not checked"
    kind = challenge.partition(" ")[0].casefold()
    if kind == "basic":
        answer = probe.ask(f"{login.url}/v2/")
    elif kind == "bearer":
        answer = _with_token(connection, login, challenge)
    else:
        raise _refusal(connection, f"{shown} wants a way of authentication that is not known: '{kind}'")
    if not answer.ok:
        raise _refused(connection, answer, shown)
    return f"{shown} accepts the user {login.username}"


def _challenge(connection: Connection, answer: Answer, shown: str) -> str:
    """How the registry wants a client to authenticate; '' when it does not."""
    if answer.ok:
        return ""
    challenge = answer.headers.get("www-authenticate", "")
    if answer.status != 401 or not challenge:
        raise _refusal(connection, f"there is no Docker registry at {shown}", f"GET /v2/: {answer.shown}")
    return challenge


def _with_token(connection: Connection, login: RegistryLogin, challenge: str) -> Answer:
    parameters = dict(_PARAMETER.findall(challenge))
    realm = parameters.get("realm", "")
    asked = urlencode({"service": parameters.get("service", ""), "account": login.username, "client_id": "sluice"})
    if urlsplit(realm).scheme == "http" and urlsplit(login.url).scheme == "https":
        raise _refusal(connection, f"the registry wants the password sent without encryption, to {realm}")
    probe = Probe(connection=connection, authorization=basic(login.username, login.password))
    answer = probe.ask(f"{realm}{'&' if '?' in realm else '?'}{asked}", limit=_MAX_TOKEN)
    if not answer.ok:
        raise _refused(connection, answer, urlsplit(realm).netloc)
    body = answer.json()
    token = (body.get("token") or body.get("access_token")) if isinstance(body, dict) else None
    if not isinstance(token, str):
        raise _refusal(connection, f"{urlsplit(realm).netloc} answered without a token")
    return Probe(connection=connection, authorization=Secret(f"Bearer {token}")).ask(f"{login.url}/v2/")


def _refused(connection: Connection, answer: Answer, shown: str) -> VerificationError:
    texts = {
        401: f"{shown} does not accept the user name and password",
        403: f"{shown} knows the user, who may not log in there",
        429: f"{shown} was asked too often; try later",
    }
    return _refusal(connection, texts.get(answer.status, f"{shown} answered with an error"), answer.shown)


def _refusal(connection: Connection, what: str, why: str = "") -> VerificationError:
    return VerificationError(what, where=connection.name, why=why)
