from __future__ import annotations

from collections.abc import Iterator

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from sluice.plugin import Secret, SluiceError
from sluice_secrets import Keyring


class Memory(KeyringBackend):
    """A keyring of its own, which may be locked."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of the library
        self.passwords: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("Failed to unlock the collection!")
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password


def read_keyring(reference: str) -> Secret:
    return Keyring().read([reference], None).secrets[reference]


@pytest.fixture
def memory() -> Iterator[Memory]:
    before = keyring.get_keyring()
    memory = Memory()
    keyring.set_keyring(memory)
    yield memory
    keyring.set_keyring(before)


def test_a_password_is_read_each_time(memory: Memory) -> None:
    for password in ("first", "second"):
        keyring.set_password("https://depot.example/x", "deploy", password)
        assert read_keyring("https://depot.example/x/deploy") == Secret(password)


def test_a_missing_password_is_told_with_how_to_store_it(memory: Memory) -> None:
    with pytest.raises(SluiceError, match="keyring set depot deploy"):
        read_keyring("depot/deploy")


@pytest.mark.parametrize("reference", ["depot", "/deploy", "depot/", " / "])
def test_what_is_no_keyring_reference_is_refused(memory: Memory, reference: str) -> None:
    for act in (read_keyring, Keyring().check):
        with pytest.raises(SluiceError, match="keyring:SERVICE/USER"):
            act(reference)


def test_a_locked_keyring_is_told(memory: Memory) -> None:
    memory.locked = True
    with pytest.raises(SluiceError, match="cannot be read: KeyringLocked: Failed to unlock"):
        read_keyring("depot/deploy")
