"""Passwords of the operating system's keyring: macOS Keychain, Windows Credential Locker, Secret Service, KWallet."""

from __future__ import annotations

from collections.abc import Sequence

from sluice.plugin import Connection, Reading, Secret, SluiceError


def parse(reference: str) -> tuple[str, str]:
    """The service and the user of `SERVICE/USER`: the user is what follows the last slash; raises `SluiceError`."""
    service, _, user = reference.rpartition("/")
    if not service.strip() or not user.strip():
        raise SluiceError("a keyring reference is keyring:SERVICE/USER", do="such as keyring:depot/deploy")
    return service, user


def read(references: Sequence[str], connection: Connection | None) -> Reading:
    """The passwords that references name."""
    if connection is not None:
        raise SluiceError("'keyring:' reads through no connection", do="leave out ?connection=NAME")
    return Reading(secrets={reference: _password(*parse(reference)) for reference in references})


def _password(service: str, user: str) -> Secret:
    import keyring
    from keyring.errors import KeyringError

    try:
        password = keyring.get_password(service, user)
    except KeyringError as error:
        why = f"{type(error).__name__}: {error}".partition("\n")[0][:300]
        raise SluiceError(
            "the keyring cannot be read", why=why, do="unlock it, or choose one with PYTHON_KEYRING_BACKEND"
        ) from None
    if not password:
        raise SluiceError(
            f"the keyring has no password of '{user}' for '{service}'", do=f"store it: keyring set {service} {user}"
        )
    return Secret(password)
