"""Secret references: where a secret is read at each use, in place of its value."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from sluice.errors import ConnectionInvalidError, NotFoundError, SluiceError
from sluice.hooks.connection import Connection
from sluice.hooks.ports import Lease, Reading, SecretSource, SecretStore
from sluice.secret import Secret
from sluice.storage.files import read_regular
from sluice.storage.home import Home
from sluice.values import dataclass

Sources = Mapping[str, SecretSource | SecretStore] | None
"""The sources of plugins by prefix; None for those of the installed ones."""

THROUGH = "?connection="
"""What stands before the name of the connection that a reference is read through, at its end."""

MAX_SECRET_BYTES = 1 << 20

OWN_PREFIX = "SLUICE_"
"""The beginning of the names of Sluice's own settings."""

_NO_FILES = tuple(map(Path, ("/proc", "/sys", "/dev")))


def check_reference(reference: str, sources: Sources = None) -> None:
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
    if through(reference) and prefix.casefold() in _BUILT_IN:
        raise ConnectionInvalidError(f"'{prefix}:' reads through no connection", do=f"leave out {THROUGH}NAME")
    source = _plugins(prefix, sources).get(prefix.casefold())
    if isinstance(source, SecretStore):
        source.check(name.partition(THROUGH)[0])


def through(reference: str) -> str:
    """The name of the connection that a reference is read through, '' for none: what follows `?connection=`."""
    return unquote(reference.partition(THROUGH)[2]).strip()


def resolve(reference: str, sources: Sources = None) -> Secret:
    """The secret that a reference names, read now; raises a `SluiceError` that says what is missing.

    For places that hold nothing for a time only: what would be leased, or needs a connection, is refused.
    """
    reading = read_all([reference], sources)
    if reading.leases:
        give_back(reading.leases, sources)
        raise ConnectionInvalidError(
            "this reference makes a secret for one use, which only a connection can take back at the end of its job",
            do="put it into a field of a service connection",
        )
    return reading.secrets[reference]


@dataclass(frozen=True, slots=True)
class Taken:
    """A lease, and the prefix of the source that takes it back."""

    source: str
    lease: Lease


@dataclass(frozen=True, slots=True)
class Resolved:
    """What references name, by reference as written; and what of it has to be given back."""

    secrets: Mapping[str, Secret]
    leases: tuple[Taken, ...] = ()


def read_all(
    references: Iterable[str], sources: Sources = None, connections: Mapping[str, Connection] | None = None
) -> Resolved:
    """What references name, read now; `connections` are those that they are read through, by name.

    Raises a `SluiceError` that says what is missing; what was leased before that is given back.
    """
    grouped: dict[tuple[str, str], dict[str, str]] = {}
    for reference in references:
        check_reference(reference, sources)
        prefix, _, name = reference.partition(":")
        grouped.setdefault((prefix.casefold(), through(reference)), {})[name.partition(THROUGH)[0]] = reference
    secrets: dict[str, Secret] = {}
    taken: list[Taken] = []
    try:
        for (prefix, connection), names in grouped.items():
            reading = _read(prefix, list(names), _through(connection, connections or {}), sources)
            taken += [Taken(prefix, lease) for lease in reading.leases]
            secrets |= {names[name]: secret for name, secret in reading.secrets.items()}
    except BaseException:
        give_back(taken, sources)
        raise
    return Resolved(secrets, tuple(taken))


def give_back(taken: Iterable[Taken], sources: Sources = None) -> list[Taken]:
    """Give leases back; answers those that their source would not take now."""
    return [one for one in taken if not _given_back(one, sources)]


def _given_back(taken: Taken, sources: Sources) -> bool:
    source = _plugins(taken.source, sources).get(taken.source)
    if not isinstance(source, SecretStore):
        return False
    try:
        source.revoke(taken.lease.id)
    except SluiceError:
        return False
    return True


def _read(prefix: str, names: Sequence[str], connection: Connection | None, sources: Sources) -> Reading:
    source = _BUILT_IN.get(prefix) or _plugins(prefix, sources)[prefix]
    if isinstance(source, SecretStore):
        return source.read(names, connection)
    if connection is not None:
        raise ConnectionInvalidError(f"'{prefix}:' reads through no connection", do=f"leave out {THROUGH}NAME")
    return Reading(secrets={name: source(name) for name in names})


def _through(name: str, connections: Mapping[str, Connection]) -> Connection | None:
    if not name:
        return None
    if name not in connections:
        raise ConnectionInvalidError(
            f"a reference that is read through a connection ('{name}') stands in a service connection only"
        )
    return connections[name]


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


_BUILT_IN: Mapping[str, SecretSource | SecretStore] = {"env": read_environment, "file": read_file}


def _plugins(prefix: str, sources: Sources) -> Mapping[str, SecretSource | SecretStore]:
    if sources is not None:
        return sources
    if prefix.casefold() in _BUILT_IN:
        return {}  # the plugins need not be loaded for these
    from sluice.hooks.manager import installed

    return installed().secret_sources
