"""Other Git: asks for the references of the repository, over HTTP, which is what `git ls-remote` does."""

from __future__ import annotations

from sluice.plugin import Connection, Probe, VerificationError, basic

ADVERTISEMENT = "application/x-git-upload-pack-advertisement"
BEGIN = 64


def verify(connection: Connection) -> str:
    """Answer whether there is a repository that the credentials open."""
    is_ssh, has_key = connection.url.startswith("ssh://"), connection.scheme.casefold() == "privatekey"
    if is_ssh and has_key:
        from sluice_source._ssh_key import verify

        return verify(connection)
    if is_ssh or has_key:
        what = "an SSH key goes with a URL of the form ssh://, and with nothing else"
        raise VerificationError(what, where=connection.name)
    username, password = connection.text("username"), connection.secret("password")
    given = bool(username or password)
    probe = Probe(connection=connection, authorization=basic(username, password) if given else None)
    address = f"{connection.url.rstrip('/')}/info/refs?service=git-upload-pack"
    answer = probe.ask(address, limit=BEGIN)
    if answer.status == 401:
        what = "the server does not accept the user name and password" if given else "the server wants authentication"
        raise VerificationError(what, where=connection.name, why=answer.shown)
    if answer.status == 403:
        raise VerificationError(
            "the server knows who asks, but forbids reading the repository", where=connection.name, why=answer.shown
        )
    content = answer.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if not answer.ok or (content != ADVERTISEMENT and b"\trefs/" not in answer.body):
        raise VerificationError(
            "there is no git repository at this URL",
            where=connection.name,
            why=answer.shown if not answer.ok else "what answers does not speak git's protocol",
        )
    text = f"{answer.origin} showed the repository{f' to {username}' if username else ''}"
    if given and probe.ask(address, authenticate=False).ok:
        text += "; it shows it to everybody, so the credentials were not checked"
    if password and answer.origin.scheme == "http":
        text += "; the password was sent without encryption: use https where you can"
    return text
