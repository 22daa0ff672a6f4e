"""Passwords of the operating system's keyring: macOS Keychain, Windows Credential Locker, Secret Service, KWallet."""

from __future__ import annotations

from sluice.plugin import Secret, SluiceError


def read(reference: str) -> Secret:
    """The password that `SERVICE/USER` names; the user is what follows the last slash."""
    import keyring
    from keyring.errors import KeyringError

    service, _, user = reference.rpartition("/")
    if not service.strip() or not user.strip():
        raise SluiceError("a keyring reference is keyring:SERVICE/USER", do="such as keyring:depot/deploy")
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
