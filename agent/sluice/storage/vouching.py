"""The key that vouches for what is not sealed: the links of the audit log, permits, pipelines, the plans of runs.

It lies beside the master key, out of reach of whoever can only write to the database, and stays when that one is
rotated. What was there before the key was made is taken over once, and the log's end of that moment is kept with it.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hmac
import json
import os
import secrets
import stat
import struct
from dataclasses import field
from itertools import chain
from pathlib import Path

from sluice.errors import SealError
from sluice.storage.chain import Head, keyed_hash
from sluice.values import dataclass

KEY_BYTES = 32

_FORMAT = 1
_LENGTH = struct.Struct(">Q")
_MAX_FILE_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class AuditKey:
    """The key; `taken_over` is the end of the log when it was made, `unchecked` that its links cannot be checked."""

    key: bytes = b""
    taken_over: Head = field(default_factory=Head)
    unchecked: bool = False


class Voucher:
    """Makes and checks the codes (HMAC-SHA-256) of one installation; without a file, as in no folder, under no key."""

    __slots__ = ("_file", "_loaded")

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._loaded: AuditKey | None = AuditKey() if file is None else None

    @property
    def audit_key(self) -> AuditKey:
        """The key; raises `SealError` when its file is missing, damaged or open to others."""
        if self._loaded is None:
            assert self._file is not None  # noqa: S101  # without a file it is there from the beginning
            self._loaded = _read(self._file)
            if self._loaded is None:
                raise SealError(
                    "the key of the audit log is missing",
                    where=str(self._file),
                    do="restore the file from your backup; when it is lost, 'sluice audit accept-head' makes another",
                )
        return self._loaded

    @property
    def missing(self) -> bool:
        """Whether there is no key yet."""
        if self._loaded is None and self._file is not None:
            self._loaded = _read(self._file)
        return self._loaded is None

    def make(self, taken_over: Head, *, unchecked: bool = False) -> bool:
        """Make the key in place of one that is missing; False when another process has made it meanwhile."""
        if self._file is None:
            return False
        made = _write(self._file, AuditKey(secrets.token_bytes(KEY_BYTES), taken_over, unchecked))
        self._loaded = None
        return made

    def code(self, kind: str, *parts: object) -> str:
        """The code of a record: what kind it is, and everything that must not be edited."""
        keyed = keyed_hash(self.audit_key.key)
        keyed.update(_joined((kind, *parts)))
        return keyed.hexdigest()

    def vouches(self, code: object, kind: str, *parts: object) -> bool:
        """Whether a stored code is the record's."""
        return isinstance(code, str) and code.isascii() and hmac.compare_digest(code, self.code(kind, *parts))


def _joined(parts: tuple[object, ...]) -> bytes:
    texts = [str(part).encode("utf-8", "surrogatepass") for part in parts]
    lengths = map(_LENGTH.pack, map(len, texts))
    return b"".join((b"sluice code", *chain.from_iterable(zip(lengths, texts, strict=True))))


def _read(path: Path) -> AuditKey | None:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SealError(
            "the key of the audit log cannot be read", where=str(path), why=error.strerror or str(error)
        ) from error
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise SealError("the key of the audit log is no file", where=str(path))
        if os.name == "posix" and status.st_mode & 0o077:
            raise SealError(
                f"the key of the audit log is open to others (mode {stat.S_IMODE(status.st_mode):04o})",
                where=str(path),
                do=f"close it with 'chmod 600 {path}'",
            )
        raw = file.read(_MAX_FILE_BYTES)
    with contextlib.suppress(ValueError, RecursionError, TypeError, KeyError, AttributeError, binascii.Error):
        content = json.loads(raw)
        key = base64.b64decode(content["key"], validate=True)
        if content["format"] == _FORMAT and len(key) == KEY_BYTES:
            return AuditKey(key, Head.parse(content["taken_over"]), content["unchecked"] is True)
    raise SealError("the key of the audit log is damaged", where=str(path), do="restore the file from your backup")


def _write(path: Path, audit_key: AuditKey) -> bool:
    content = {
        "format": _FORMAT,
        "key": base64.b64encode(audit_key.key).decode("ascii"),
        "taken_over": str(audit_key.taken_over),
        "unchecked": audit_key.unchecked,
    }
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            json.dump(content, file)
            file.flush()
            os.fsync(file.fileno())
        # a link fails when the file is there by now: of two that start at once both use one key
        os.link(temporary, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise SealError(
            "the key of the audit log cannot be written", where=str(path), why=error.strerror or str(error)
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
    return True
