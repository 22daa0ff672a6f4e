"""Tries a generic connection: one GET of its URL, with Basic authentication when it has a user name or a password."""

from __future__ import annotations

from sluice.plugin import Answer, Connection, Probe, VerificationError, basic


def verify(connection: Connection) -> str:
    """Answer what the server said; raises `VerificationError` that tells the reasons apart."""
    username, password = connection.text("username"), connection.secret("password")
    given = bool(username or password)
    probe = Probe(connection=connection, authorization=basic(username, password) if given else None)
    answer = probe.ask(connection.url)
    if not answer.ok:
        raise _refused(connection, answer, given=given)
    who = f" as {username}" if username else " with the token" if password else " without authentication"
    text = f"{answer.origin} answered {answer.shown}{who}"
    if given and probe.ask(answer.url, authenticate=False).ok:
        text += "; it answers the same without the credentials, so they were not checked"
    if password and answer.origin.scheme == "http":
        text += "; the password was sent without encryption: use https where you can"
    return text


def _refused(connection: Connection, answer: Answer, *, given: bool) -> VerificationError:
    texts = {
        401: "the server does not accept the user name and password" if given else "the server wants authentication",
        403: "the server knows who asks, but forbids the URL",
        404: "the server has nothing at this URL",
        407: "the proxy wants authentication",
    }
    what = texts.get(answer.status, "the server answered with an error")
    return VerificationError(what, where=connection.name, why=answer.shown)
