"""Bitbucket Cloud: who the credentials belong to."""

from __future__ import annotations

from sluice.plugin import Connection, Probe, Secret, VerificationError, basic
from sluice_source._words import printable

BODY = 1 << 20
API = "https://api.bitbucket.org/"


def verify(connection: Connection) -> str:
    """Ask for the account; a token that may not read it may still read repositories, which is the documented request."""
    authorization = _authorization(connection)
    probe = Probe(connection=connection, authorization=authorization, headers={"Accept": "application/json"})
    base = (connection.url or API).rstrip("/")
    account = probe.ask(f"{base}/2.0/user", limit=BODY)
    answer = probe.ask(f"{base}/2.0/repositories?role=member", limit=BODY) if account.status == 403 else account
    body = answer.json()
    if answer.status in {401, 410}:
        raise VerificationError(
            "Bitbucket does not accept the credentials: they are wrong, expired or revoked",
            where=connection.name,
            why=answer.shown,
            do="app passwords have been retired: use the scheme Token with an API token",
        )
    if answer.status == 403:
        raise VerificationError("the token lacks a scope", where=connection.name, why=_missing(answer.shown, body))
    if not answer.ok or not isinstance(body, dict):
        raise VerificationError(
            f"there is no Bitbucket API at {answer.origin}", where=connection.name, why=answer.shown
        )
    if account.status == 403:
        return f"{answer.origin} accepts the credentials; the token may read repositories and not its account"
    return f"{answer.origin} knows the credentials as {printable(body.get('display_name') or body.get('username'))}"


def _authorization(connection: Connection) -> Secret:
    if token := connection.secret("AccessToken"):
        return Secret(f"Bearer {token.reveal()}")
    who = connection.text("email") or connection.text("username")
    sent = connection.secret("apitoken") or connection.secret("password")
    if not sent:
        raise VerificationError("the connection has no token and no password", where=connection.name)
    return basic(who, sent)


def _missing(status: str, body: object) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    detail = error.get("detail") if isinstance(error, dict) else None
    required = detail.get("required") if isinstance(detail, dict) else None
    if isinstance(required, list) and required:
        return f"{status}; it takes: {', '.join(printable(one) for one in required[:10])}"
    return f"{status}; it takes read:repository:bitbucket"
