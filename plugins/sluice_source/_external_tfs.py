"""Azure DevOps organizations and Team Foundation Server collections: who asks, and whether projects may be read."""

from __future__ import annotations

from sluice.plugin import Answer, Connection, Probe, Secret, VerificationError, basic
from sluice_source._words import printable

BODY = 1 << 20
ANONYMOUS = "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa"
"""Id of whoever asks without credentials that are accepted."""


def verify(connection: Connection) -> str:
    """First who asks (that needs no scope), then the projects, which is the documented request."""
    probe = Probe(
        connection=connection, authorization=_authorization(connection), headers={"Accept": "application/json"}
    )
    base = connection.url.rstrip("/")
    who = _user(connection, probe.ask(f"{base}/_apis/connectionData", limit=BODY))
    answer = probe.ask(f"{base}/_apis/projects", limit=BODY)
    if answer.status in {401, 403}:
        raise VerificationError(
            "the token lacks the scope to read projects",
            where=connection.name,
            why=answer.shown,
            do="give the token the scope 'Project and team (read)', and 'Code (read)' to clone",
        )
    body = answer.json()
    projects = body.get("value") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(projects, list):
        raise _elsewhere(connection, answer)
    ready = sum(isinstance(one, dict) and one.get("state") == "wellFormed" for one in projects)
    text = f"{answer.origin} knows the credentials as {who}, who sees {ready} project{'' if ready == 1 else 's'}"
    if answer.origin.scheme == "http":
        text += "; the credentials were sent without encryption: use https where you can"
    return text


def _user(connection: Connection, answer: Answer) -> str:
    # Azure DevOps sends its sign-in page, with 203 or by a redirect, to whom it does not know.
    if answer.status in {203, 302, 401}:
        raise VerificationError(
            "the server does not accept the credentials: they are wrong, expired or revoked",
            where=connection.name,
            why=answer.shown,
        )
    if answer.status == 403:
        raise VerificationError("the server knows who asks, but forbids it", where=connection.name, why=answer.shown)
    body = answer.json()
    user = body.get("authenticatedUser") if isinstance(body, dict) else None
    if answer.status != 200 or not isinstance(user, dict):
        raise _elsewhere(connection, answer)
    if user.get("id") == ANONYMOUS:
        raise VerificationError("the server takes the credentials for nobody's", where=connection.name)
    name = user.get("providerDisplayName") or user.get("customDisplayName") or user.get("id")
    return printable(name)


def _elsewhere(connection: Connection, answer: Answer) -> VerificationError:
    return VerificationError(
        "there is no organization or project collection at this URL",
        where=connection.name,
        why=answer.shown,
        do="the URL is that of the organization or collection, such as https://dev.azure.com/name",
    )


def _authorization(connection: Connection) -> Secret:
    if token := connection.secret("apitoken"):
        return basic("token", token)
    password = connection.secret("password")
    if not password:
        raise VerificationError("the connection has no token and no password", where=connection.name)
    return basic(connection.text("username"), password)
