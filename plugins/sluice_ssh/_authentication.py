"""Authentication: with a private key, with the password, or by answering questions that are expected."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import paramiko

from sluice.plugin import Connection, Secret, VerificationError
from sluice_ssh import DEFAULT_PROMPTS
from sluice_ssh._keys import load_private_key

KEYBOARD = "keyboard-interactive"

Attempt = Callable[[], Sequence[str]]


class Answers:
    """Answers questions of keyboard-interactive authentication: the expected ones, each once.

    A server that asks for anything else is told nothing: the connection ends (`refused` is the question).
    """

    def __init__(self, expected: frozenset[str], password: Secret) -> None:
        self._expected = expected
        self._password = password
        self._answered: set[str] = set()
        self.refused = ""

    def __call__(self, title: str, instructions: str, questions: Sequence[tuple[str, bool]]) -> list[str]:
        """Called by paramiko with one round of questions."""
        asked = [text.strip() for text, _ in questions]
        for text in asked:
            if text not in self._expected or text in self._answered:
                self.refused = text or "(an empty question)"
                raise paramiko.SSHException("the server asked an unexpected question")
            self._answered.add(text)
        return [self._password.reveal() for _ in asked]


def expected_prompts(connection: Connection) -> frozenset[str]:
    """The questions that may be answered with the password, without surrounding spaces."""
    username = connection.text("username")
    lines = connection.text("KeyboardInteractivePrompts", DEFAULT_PROMPTS).splitlines()
    return frozenset(line.strip().replace("{username}", username) for line in lines if line.strip())


def authenticate(transport: paramiko.Transport, connection: Connection, *, keyboard: bool) -> str:
    """Authenticate and answer the method's name; `keyboard` prefers keyboard-interactive to password.

    Raises `VerificationError` when the connection holds no usable credential, the server refuses it, or it offers
    other methods only. Lets paramiko's exceptions about the line pass.
    """
    username = connection.text("username")
    if not username:
        raise VerificationError("the connection has no user name", where=connection.name)
    password = connection.secret("password")
    private_key = connection.secret("PrivateKey")
    if private_key:
        key = load_private_key(private_key, password, connection.name)
        _finish(connection, "publickey", lambda: transport.auth_publickey(username, key), transport)
        return "publickey"
    if not password:
        raise VerificationError(
            "the connection has neither a private key nor a password",
            where=connection.name,
            do=f"sluice connection update {connection.name} --secret PrivateKey=@FILE",
        )
    if not keyboard:
        try:
            rest = transport.auth_password(username, password.reveal(), fallback=False)
        except paramiko.BadAuthenticationType as error:
            if KEYBOARD not in error.allowed_types:
                raise _not_offered(connection, "password", error.allowed_types) from None
        except paramiko.AuthenticationException as error:
            raise _refused(connection, "password", error, transport) from None
        else:
            _check_complete(connection, rest)
            return "password"
    _answer_questions(transport, connection, password)
    return KEYBOARD


def _answer_questions(transport: paramiko.Transport, connection: Connection, password: Secret) -> None:
    answers = Answers(expected_prompts(connection), password)
    username = connection.text("username")
    try:
        _finish(connection, KEYBOARD, lambda: transport.auth_interactive(username, answers), transport)
    except (paramiko.SSHException, EOFError, OSError):
        if not answers.refused:
            raise
    if answers.refused:
        raise VerificationError(
            f"the server asked a question that may not be answered with the password: '{answers.refused[:100]}'",
            where=connection.name,
            why="it is not among the connection's KeyboardInteractivePrompts, or it was asked twice",
            do=f"if you trust it: sluice connection update {connection.name} --set KeyboardInteractivePrompts=...",
        )


def _finish(connection: Connection, method: str, attempt: Attempt, transport: paramiko.Transport) -> None:
    try:
        rest = attempt()
    except paramiko.BadAuthenticationType as error:
        raise _not_offered(connection, method, error.allowed_types) from None
    except paramiko.AuthenticationException as error:
        raise _refused(connection, method, error, transport) from None
    _check_complete(connection, rest)


def _check_complete(connection: Connection, rest: Sequence[str]) -> None:
    if rest:
        raise VerificationError(
            f"the server wants further authentication: {', '.join(rest)}",
            where=connection.name,
            why="the first step was accepted, but a connection holds one credential",
        )


def _not_offered(connection: Connection, method: str, offered: Sequence[str]) -> VerificationError:
    names = ", ".join(name for name in offered if name) or "none"
    return VerificationError(
        f"the server does not offer the authentication method '{method}'",
        where=connection.name,
        why=f"it offers: {names}",
        do="give the connection a credential of that kind",
    )


def _refused(
    connection: Connection, method: str, error: paramiko.AuthenticationException, transport: paramiko.Transport
) -> Exception:
    """The error to raise; a line that broke or timed out meanwhile is not a wrong credential."""
    if not transport.is_active() or "timeout" in str(error).casefold():
        return error
    credential = "private key" if method == "publickey" else "password"
    return VerificationError(
        f"the server refused the {credential} for the user '{connection.text('username')}'",
        where=connection.name,
        why="wrong user name or password"
        if credential == "password"
        else "the key is not among the user's authorized keys, or the user name is wrong",
    )
