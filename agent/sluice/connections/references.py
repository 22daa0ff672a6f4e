"""Secret references: where a secret is read at each use, in place of its value."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.errors import ConnectionInvalidError, NotFoundError
from sluice.secret import Secret
from sluice.storage.files import read_regular
from sluice.storage.home import Home

if TYPE_CHECKING:
    from sluice.hooks.ports import SecretSource

MAX_SECRET_BYTES = 1 << 20

OWN_PREFIX = "SLUICE_"
"""The beginning of the names of Sluice's own settings."""

_NO_FILES = tuple(map(Path, ("/proc", "/sys", "/dev")))


def check_reference(reference: str, sources: Mapping[str, SecretSource] | None = None) -> None:
    """Refuse what is no reference; the text is not repeated, since it may be a secret that was typed by mistake."""
    prefix, colon, name = reference.partition(":")
    if not (colon and name.strip()) or prefix.casefold() not in {*_BUILT_IN, *_plugins(prefix, sources)}:
        known = ", ".join(f"{one}:" for one in sorted({*_BUILT_IN, *_plugins("", sources)}))
        raise ConnectionInvalidError(
            "this is no secret reference", do=f"write one that starts with: {known}; such as env:NAME"
        )
    if prefix.casefold() == "env" and name.strip().upper().startswith(OWN_PREFIX):
        raise ConnectionInvalidError(
            f"variables that start with {OWN_PREFIX} are Sluice's own, its master key among them: none is a secret",
            do="keep the secret in a variable of another name",
        )


def resolve(reference: str, sources: Mapping[str, SecretSource] | None = None) -> Secret:
    """The secret that a reference names, read now; raises a `SluiceError` that says what is missing."""
    check_reference(reference, sources)
    prefix, _, name = reference.partition(":")
    if source := _BUILT_IN.get(prefix.casefold()):
        return source(name)
    return _plugins(prefix, sources)[prefix.casefold()](name)


def read_environment(reference: str) -> Secret:
    """The value of an environment variable of this process."""
    value = os.environ.get(reference)
    if not value:
        raise NotFoundError(f"the environment variable '{reference}' that holds a secret is not set")
    return Secret(value)


def read_file(reference: str) -> Secret:
    """The text of a file. The line end of a one-line file is no part of its secret; a longer text is kept whole."""
    path = Path(reference).expanduser()
    if not path.is_absolute():
        raise ConnectionInvalidError(
            f"the secret file '{reference}' is not given by its full path", do="write file:/path"
        )
    _refuse_own(path)
    try:
        raw = read_regular(path, MAX_SECRET_BYTES)
    except OSError as error:
        raise NotFoundError(f"the secret file '{path}' cannot be read", why=error.strerror or str(error)) from error
    return decode_secret(raw, f"the secret file '{path}'")


def _refuse_own(path: Path) -> None:
    """Refuse what lies in the state folder, its keys above all, however it is named; and what a process shows of itself."""
    resolved = path.resolve()
    if any(resolved.is_relative_to(folder) for folder in _NO_FILES):
        raise ConnectionInvalidError(f"'{path}' is no file that holds a secret", why="the system makes it up")
    home = Home.find()
    if resolved.is_relative_to(home.root.resolve()) or _is_a_key(resolved, home):
        raise ConnectionInvalidError(
            f"the file '{path}' is one of Sluice's own, and no secret of a connection or a variable group",
            do="keep the secret in a file outside of the state folder",
        )


def _is_a_key(path: Path, home: Home) -> bool:
    """Whether the file is one of the keys under another name (a hard link)."""
    try:
        return any(path.samefile(key) for key in home.keys.iterdir())
    except OSError:
        return False


def decode_secret(raw: bytes, origin: str) -> Secret:
    """Bytes from a file or from standard input as a secret; `origin` is for the error."""
    if len(raw) > MAX_SECRET_BYTES:
        raise ConnectionInvalidError(f"{origin} is too long for a secret (over 1 MiB)")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConnectionInvalidError(f"{origin} is not UTF-8 text") from None
    if text.count("\n") == 1 and text.endswith("\n"):
        text = text[:-1].removesuffix("\r")
    return Secret(text)


_BUILT_IN: Mapping[str, SecretSource] = {"env": read_environment, "file": read_file}


def _plugins(prefix: str, sources: Mapping[str, SecretSource] | None) -> Mapping[str, SecretSource]:
    if sources is not None:
        return sources
    if prefix.casefold() in _BUILT_IN:
        return {}  # the plugins need not be loaded for these
    from sluice.hooks.manager import installed

    return installed().secret_sources
