"""SFTP into one folder: the file part of the throw-away SSH host."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import paramiko
from paramiko.sftp import SFTP_FAILURE, SFTP_OK, SFTP_PERMISSION_DENIED

if TYPE_CHECKING:
    from typing_extensions import Buffer

Answer = paramiko.SFTPAttributes | int


class _OutsideError(PermissionError):
    """A path that leaves the folder."""


class FolderFiles(paramiko.SFTPServerInterface):
    """Files of one folder, for which paths are those that commands see; nothing outside it can be reached."""

    def __init__(self, server: paramiko.ServerInterface, folder: Path, *args: Any, **kwargs: Any) -> None:
        super().__init__(server, *args, **kwargs)
        self._folder = folder.resolve()

    def open(self, path: str, flags: int, attr: paramiko.SFTPAttributes) -> paramiko.SFTPHandle | int:
        try:
            descriptor = os.open(self._real(path), flags, (attr.st_mode or 0o666) & 0o777)
            return _Handle(flags, descriptor)
        except OSError as error:
            return _code(error)

    def list_folder(self, path: str) -> list[paramiko.SFTPAttributes] | int:
        try:
            with os.scandir(self._real(path)) as entries:
                return [
                    paramiko.SFTPAttributes.from_stat(entry.stat(follow_symlinks=False), entry.name)
                    for entry in entries
                ]
        except OSError as error:
            return _code(error)

    def stat(self, path: str) -> Answer:
        try:
            return paramiko.SFTPAttributes.from_stat(self._real(path).stat())
        except OSError as error:
            return _code(error)

    def lstat(self, path: str) -> Answer:
        try:
            return paramiko.SFTPAttributes.from_stat(self._entry(path).lstat())
        except OSError as error:
            return _code(error)

    def remove(self, path: str) -> int:
        return self._do(lambda: self._entry(path).unlink())

    def rename(self, oldpath: str, newpath: str) -> int:
        def act() -> None:
            target = self._entry(newpath)
            if os.path.lexists(target):
                raise FileExistsError
            self._entry(oldpath).rename(target)

        return self._do(act)

    def posix_rename(self, oldpath: str, newpath: str) -> int:
        return self._do(lambda: self._entry(oldpath).replace(self._entry(newpath)))

    def mkdir(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        return self._do(lambda: self._entry(path).mkdir(mode=(attr.st_mode or 0o777) & 0o777))

    def rmdir(self, path: str) -> int:
        return self._do(lambda: self._entry(path).rmdir())

    def chattr(self, path: str, attr: paramiko.SFTPAttributes) -> int:
        return self._do(lambda: paramiko.SFTPServer.set_file_attr(str(self._real(path)), attr))

    def canonicalize(self, path: str) -> str:
        return os.path.normpath(self._folder / path)

    def readlink(self, path: str) -> str | int:
        try:
            return str(self._entry(path).readlink())
        except OSError as error:
            return _code(error)

    def _real(self, path: str) -> Path:
        """The path with every link followed; it must lie in the folder."""
        real = (self._folder / path).resolve()
        if real != self._folder and self._folder not in real.parents:
            raise _OutsideError(path)
        return real

    def _entry(self, path: str) -> Path:
        """The path with its folder's links followed, but not its own."""
        plain = Path(os.path.normpath(self._folder / path))
        return plain if plain == self._folder else self._real(str(plain.parent)) / plain.name

    def _do(self, act: Any) -> int:
        try:
            act()
        except OSError as error:
            return _code(error)
        return SFTP_OK


class _Handle(paramiko.SFTPHandle):
    def __init__(self, flags: int, descriptor: int) -> None:
        super().__init__(flags)
        self._descriptor = descriptor
        self._append = bool(flags & os.O_APPEND)

    def close(self) -> None:
        os.close(self._descriptor)

    def read(self, offset: int, length: int) -> bytes | int:
        try:
            return os.pread(self._descriptor, length, offset)
        except OSError as error:
            return _code(error)

    def write(self, offset: int, data: Buffer) -> int:
        try:
            written = os.write(self._descriptor, data) if self._append else os.pwrite(self._descriptor, data, offset)
        except OSError as error:
            return _code(error)
        return SFTP_OK if written == memoryview(data).nbytes else SFTP_FAILURE

    def stat(self) -> Answer:
        try:
            return paramiko.SFTPAttributes.from_stat(os.fstat(self._descriptor))
        except OSError as error:
            return _code(error)

    def chattr(self, attr: paramiko.SFTPAttributes) -> int:
        try:
            if attr.st_mode is not None:
                os.fchmod(self._descriptor, stat.S_IMODE(attr.st_mode))
        except OSError as error:
            return _code(error)
        return SFTP_OK


def _code(error: OSError) -> int:
    if isinstance(error, PermissionError):
        return SFTP_PERMISSION_DENIED
    return paramiko.SFTPServer.convert_errno(error.errno or 0)
