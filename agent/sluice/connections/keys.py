"""Master keys: the built-in providers (a file, the environment) and the choice of one; others come from plugins."""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sluice.errors import PluginError, SealError

if TYPE_CHECKING:
    from sluice.hooks.manager import PluginHost
    from sluice.hooks.ports import KeyProvider

PROVIDER_VARIABLE = "SLUICE_KEY_PROVIDER"
KEY_VARIABLE = "SLUICE_MASTER_KEY"
PREVIOUS_KEY_VARIABLE = "SLUICE_MASTER_KEY_PREVIOUS"
KEY_BYTES = 32

_FORMAT = 1
_MAX_FILE_BYTES = 1 << 20


def choose_provider(
    folder: Path, environment: Mapping[str, str] | None = None, host: PluginHost | None = None
) -> KeyProvider:
    """The key provider that `SLUICE_KEY_PROVIDER` names: `file`, `passphrase` or `environment`, or one of a plugin.

    Without it: `environment` when `SLUICE_MASTER_KEY` is set, else `file` with its keys in `folder`.
    """
    variables = os.environ if environment is None else environment
    name = variables.get(PROVIDER_VARIABLE, "").strip().casefold()
    if not name:
        name = "environment" if variables.get(KEY_VARIABLE) else "file"
    if name == "file":
        return FileKeys(folder / "master.json")
    if name == "environment":
        return EnvironmentKeys(variables)
    if name == "passphrase":
        from sluice.connections.passphrase import PassphraseKeys, given_passphrase

        return PassphraseKeys(folder, lambda new: given_passphrase(variables, new=new))
    if host is None:
        from sluice.hooks.manager import installed

        host = installed()
    if provider := host.key_providers.get(name):
        return provider
    known = ", ".join(sorted({"file", "environment", "passphrase", *host.key_providers}))
    raise PluginError(f"there is no key provider '{name}'", do=f"set {PROVIDER_VARIABLE} to one of: {known}")


class EnvironmentKeys:
    """The master key in `SLUICE_MASTER_KEY`: 32 bytes in base64.

    To rotate it, set the new key there and the old one in `SLUICE_MASTER_KEY_PREVIOUS`.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def current(self) -> tuple[str, bytes]:
        return self._read(KEY_VARIABLE)

    def key(self, key_id: str) -> bytes:
        for variable in (KEY_VARIABLE, PREVIOUS_KEY_VARIABLE):
            if self._environment.get(variable):
                found, key = self._read(variable)
                if found == key_id:
                    return key
        raise SealError(
            "the secrets are sealed with another master key",
            why=f"it is key {key_id}, which {KEY_VARIABLE} does not hold",
            do=f"set {KEY_VARIABLE} to that key, or unset it when the key lies in the key file",
        )

    def rotate(self) -> tuple[str, bytes]:
        if not self._environment.get(PREVIOUS_KEY_VARIABLE):
            raise SealError(
                "the master key comes from the environment, which cannot be changed from here",
                do=f"set {KEY_VARIABLE} to a new key, {PREVIOUS_KEY_VARIABLE} to the old one, and rotate again",
            )
        return self.current()

    def forget(self, key_id: str) -> None:
        """Nothing to do: whoever set the old key unsets it."""

    def ids(self) -> frozenset[str]:
        """The ids of the keys that are set."""
        variables = (KEY_VARIABLE, PREVIOUS_KEY_VARIABLE)
        return frozenset(self._read(one)[0] for one in variables if self._environment.get(one))

    def _read(self, variable: str) -> tuple[str, bytes]:
        text = self._environment.get(variable, "").strip()
        if not text:
            raise SealError(f"{variable} is not set", do="set it to the master key, 32 bytes in base64")
        key = _decoded(text)
        if key is None:
            raise SealError(f"{variable} holds no master key", do="it must be 32 bytes in base64")
        return f"environment-{hashlib.sha256(b'sluice key id' + key).hexdigest()[:16]}", key


class FileKeys:
    """Master keys in a file that only its owner may read, made on first use."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def current(self) -> tuple[str, bytes]:
        content = self._load()
        if content is None:
            content = self._create()
        current, keys = content
        return current, keys[current]

    def key(self, key_id: str) -> bytes:
        content = self._load()
        if content and (key := content[1].get(key_id)):
            return key
        raise SealError(
            "the secrets are sealed with a master key that is not here",
            where=str(self._path),
            why=f"it is key {key_id}" if content else f"the key file is missing (key {key_id} is needed)",
            do="restore the key file from your backup: without that key nobody can open them"
            + ("" if content else "; when it is lost for good, 'sluice key rotate --lost' makes another"),
        )

    def rotate(self) -> tuple[str, bytes]:
        _, keys = self._load() or self._create()
        for left_over in self._path.parent.glob(f".{self._path.name}.*"):
            left_over.unlink(missing_ok=True)  # of a process that was killed while it wrote
        key_id, key = _new_key()
        self._replace(key_id, {**keys, key_id: key})
        return key_id, key

    def forget(self, key_id: str) -> None:
        content = self._load()
        if content and key_id in content[1] and key_id != content[0]:
            current, keys = content
            self._replace(current, {name: key for name, key in keys.items() if name != key_id})

    def ids(self) -> frozenset[str]:
        """Every key that the file holds."""
        content = self._load()
        return frozenset(content[1]) if content else frozenset()

    def _load(self) -> tuple[str, dict[str, bytes]] | None:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SealError(
                "the key file cannot be read", where=str(self._path), why=error.strerror or str(error)
            ) from error
        with os.fdopen(descriptor, "rb") as file:
            self._refuse_open_access(os.fstat(file.fileno()))
            raw = file.read(_MAX_FILE_BYTES + 1)
        return self._parse(raw)

    def _refuse_open_access(self, status: os.stat_result) -> None:
        if os.name != "posix":
            return
        if status.st_mode & 0o077:
            mode = stat.S_IMODE(status.st_mode)
            raise SealError(
                f"the key file is open to others (mode {mode:04o})",
                where=str(self._path),
                do=f"close it with 'chmod 600 {self._path}', and rotate the key if others may have read it",
            )
        if status.st_uid not in {os.geteuid(), 0}:
            raise SealError("the key file belongs to another user", where=str(self._path))

    def _parse(self, raw: bytes) -> tuple[str, dict[str, bytes]]:
        with contextlib.suppress(ValueError, RecursionError):
            content = json.loads(raw)
            if isinstance(content, dict) and content.get("format") == _FORMAT and isinstance(content.get("keys"), dict):
                keys = self._opened(content)
                current = content.get("current")
                if isinstance(current, str) and current in keys and all(keys.values()):
                    return current, {name: key for name, key in keys.items() if key}
        raise SealError(
            "the key file is damaged",
            where=str(self._path),
            do="restore it from your backup; it was left as it is",
        )

    def _create(self) -> tuple[str, dict[str, bytes]]:
        from sluice.storage.home import private_folder

        private_folder(self._path.parent)
        key_id, keys = self._first()
        temporary = self._written(key_id, keys)
        try:
            # a link fails when the file is there by now, so that of two that start at once both use one key
            os.link(temporary, self._path)
            _sync_folder(self._path.parent)
        except FileExistsError:
            pass
        except OSError as error:
            raise self._cannot_write(error) from error
        finally:
            temporary.unlink(missing_ok=True)
        content = self._load()
        if content is None:
            raise SealError("the key file vanished while it was made", where=str(self._path))
        return content

    def _replace(self, current: str, keys: Mapping[str, bytes]) -> None:
        temporary = self._written(current, keys)
        try:
            temporary.replace(self._path)
            _sync_folder(self._path.parent)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._cannot_write(error) from error

    def _written(self, current: str, keys: Mapping[str, bytes]) -> Path:
        content = {
            "format": _FORMAT,
            "current": current,
            **self._closed(keys),
        }
        temporary = self._path.with_name(f".{self._path.name}.{secrets.token_hex(8)}")
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                json.dump(content, file, indent=2)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise self._cannot_write(error) from error
        return temporary

    def _first(self) -> tuple[str, dict[str, bytes]]:
        """The keys of a new file, and the id of the current one."""
        key_id, key = _new_key()
        return key_id, {key_id: key}

    def _closed(self, keys: Mapping[str, bytes]) -> Mapping[str, object]:
        """The keys as they stand in the file."""
        return {"keys": {name: base64.b64encode(key).decode("ascii") for name, key in keys.items()}}

    def _opened(self, content: Mapping[str, Any]) -> dict[str, bytes | None]:
        """The keys of a file's content; None for what is none."""
        return {str(name): _decoded(text) for name, text in content["keys"].items()}

    def _cannot_write(self, error: OSError) -> SealError:
        return SealError("the key file cannot be written", where=str(self._path), why=error.strerror or str(error))


def _new_key() -> tuple[str, bytes]:
    return f"file-{secrets.token_hex(8)}", secrets.token_bytes(KEY_BYTES)


def _decoded(text: object) -> bytes | None:
    if not isinstance(text, str):
        return None
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) == KEY_BYTES else None


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
