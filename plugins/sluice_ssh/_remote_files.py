"""Files on a host, over SFTP: folders, cleaning, and one upload that is there whole or not at all."""

from __future__ import annotations

import contextlib
import posixpath
import secrets
import stat
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import paramiko

CHUNK = 32768
"""The largest write that every SFTP server accepts."""

Failures = (paramiko.SSHException, EOFError, OSError)


class TransferError(Exception):
    """A file or folder of the host could not be changed; the text says why."""


def attributes(sftp: paramiko.SFTPClient, path: str, *, follow: bool = True) -> paramiko.SFTPAttributes | None:
    """What is there, or None; raises `TransferError` when the host does not let us look."""
    try:
        return sftp.stat(path) if follow else sftp.lstat(path)
    except FileNotFoundError:
        return None
    except PermissionError:
        raise TransferError(f"no permission to look at {path}") from None


def is_folder(found: paramiko.SFTPAttributes) -> bool:
    """Whether what was found is a folder."""
    return stat.S_ISDIR(found.st_mode or 0)


def is_closed(sftp: paramiko.SFTPClient) -> bool:
    """Whether the session has ended, so that nothing can be done with it."""
    channel = sftp.get_channel()
    return channel is None or channel.closed or bool(channel.eof_received)


def make_folders(sftp: paramiko.SFTPClient, paths: Iterable[str]) -> list[str]:
    """Make the folders that are missing, with their parents; answers those that were made."""
    made: list[str] = []
    known: set[str] = set()
    for path in sorted(paths):
        _make_folder(sftp, path, known, made)
    return made


def clean_folder(sftp: paramiko.SFTPClient, path: str, *, hidden: bool, canceled: Callable[[], bool]) -> int:
    """Remove what is in a folder, hidden entries of it only if `hidden`; answers how many files and links.

    Links are removed, never followed. Raises `TransferError` when something cannot be removed.
    """
    count = 0
    for name in _names(sftp, path):
        if canceled():
            break
        if hidden or not name.filename.startswith("."):
            count += _remove(sftp, posixpath.join(path, name.filename), name, canceled)
    return count


def temporary_beside(target: str) -> str:
    """A new name in the folder of `target`, for a file that is not whole yet."""
    return posixpath.join(posixpath.dirname(target), f".sluice-{secrets.token_hex(8)}.part")


def forget(sftp: paramiko.SFTPClient, path: str) -> None:
    """Remove a file if it is there and can be removed."""
    with contextlib.suppress(*Failures):
        sftp.remove(path)


def upload(
    sftp: paramiko.SFTPClient,
    source: Path,
    target: str,
    *,
    temporary: str,
    overwrite: bool,
    canceled: Callable[[], bool],
) -> int | None:
    """Copy a file: as `temporary` first, renamed once its size was verified. Answers its bytes, None if canceled.

    The mode is that of the file it replaces; a new one gets the host's default, executable where the source is.
    Raises `TransferError`, or what paramiko raises when the session ends: then `temporary` may still be there.
    """
    replaced = attributes(sftp, target, follow=False)
    if replaced is not None and is_folder(replaced):
        raise TransferError(f"{target} is a folder on the remote machine")
    if replaced is not None and not overwrite:
        raise TransferError(
            f"File {target} cannot be copied to the remote machine because it already exists "
            "and the 'Overwrite' option is disabled."
        )
    try:
        size = _send(sftp, source, temporary, replaced, canceled)
        if size is not None:
            _take_place(sftp, temporary, target, overwrite=overwrite)
    except BaseException:
        forget(sftp, temporary)
        raise
    if size is None:
        forget(sftp, temporary)
    return size


def _make_folder(sftp: paramiko.SFTPClient, path: str, known: set[str], made: list[str]) -> None:
    if path in known or path in {"", "/", "."}:
        return
    found = attributes(sftp, path)
    if found is None:
        _make_folder(sftp, posixpath.dirname(path), known, made)
        try:
            sftp.mkdir(path)
        except PermissionError:
            raise TransferError(f"Unable to create target folder {path}: permission denied") from None
        except Failures as error:
            raise TransferError(f"Unable to create target folder {path}: {error}{_space(sftp, path, 1)}") from None
        made.append(path)
    elif not is_folder(found):
        raise TransferError(f"Unable to create target folder {path}: a file of that name is in its place")
    known.add(path)


def _names(sftp: paramiko.SFTPClient, path: str) -> list[paramiko.SFTPAttributes]:
    try:
        return sftp.listdir_attr(path)
    except PermissionError:
        raise TransferError(f"no permission to list {path}") from None
    except Failures as error:
        raise TransferError(f"{path} cannot be listed: {error}") from None


def _remove(sftp: paramiko.SFTPClient, path: str, found: paramiko.SFTPAttributes, canceled: Callable[[], bool]) -> int:
    folders: list[str] = []
    waiting = [(path, found)]
    count = 0
    try:
        while waiting and not canceled():
            current, entry = waiting.pop()
            if is_folder(entry):  # a link to a folder is none: the list tells of the link itself
                folders.append(current)
                waiting.extend((posixpath.join(current, one.filename), one) for one in _names(sftp, current))
            else:
                sftp.remove(current)
                count += 1
        for current in reversed(folders if not waiting else []):
            sftp.rmdir(current)
    except PermissionError:
        raise TransferError(f"no permission to remove {current}") from None
    except Failures as error:
        raise TransferError(f"{current} cannot be removed: {error}") from None
    return count


def _send(
    sftp: paramiko.SFTPClient,
    source: Path,
    temporary: str,
    replaced: paramiko.SFTPAttributes | None,
    canceled: Callable[[], bool],
) -> int | None:
    sent = 0
    with source.open("rb") as file:
        executable = bool(stat.S_IMODE(source.stat().st_mode) & stat.S_IXUSR)
        try:
            with sftp.open(temporary, "wx") as remote:
                _set_mode(remote, replaced, executable=executable)
                remote.set_pipelined(True)
                while chunk := file.read(CHUNK):
                    if canceled():
                        return None
                    remote.write(chunk)
                    sent += len(chunk)
            arrived = sftp.stat(temporary).st_size
        except FileNotFoundError:
            raise TransferError(f"the folder {posixpath.dirname(temporary)} does not exist") from None
        except PermissionError:
            raise TransferError(f"no permission to write to {posixpath.dirname(temporary)}") from None
        except Failures as error:
            space = _space(sftp, posixpath.dirname(temporary), source.stat().st_size)
            raise TransferError(f"{error or type(error).__name__}{space}") from None
    if arrived != sent:
        space = _space(sftp, posixpath.dirname(temporary), sent - (arrived or 0))
        raise TransferError(f"only {arrived} of {sent} bytes arrived{space}")
    return sent


def _set_mode(remote: paramiko.SFTPFile, replaced: paramiko.SFTPAttributes | None, *, executable: bool) -> None:
    now = stat.S_IMODE(remote.stat().st_mode or 0o644)
    wanted = now
    if replaced is not None and replaced.st_mode is not None and stat.S_ISREG(replaced.st_mode):
        wanted = stat.S_IMODE(replaced.st_mode) & 0o777
    if executable:
        wanted |= (wanted & 0o444) >> 2
    if wanted != now:
        remote.chmod(wanted)


def _take_place(sftp: paramiko.SFTPClient, temporary: str, target: str, *, overwrite: bool) -> None:
    try:
        if not overwrite:
            sftp.rename(temporary, target)  # which fails when the target has appeared meanwhile
            return
        try:
            sftp.posix_rename(temporary, target)
        except PermissionError:
            raise
        except OSError:  # a server without that extension
            with contextlib.suppress(FileNotFoundError):
                sftp.remove(target)
            sftp.rename(temporary, target)
    except PermissionError:
        raise TransferError(f"no permission to replace {target}") from None
    except Failures as error:
        raise TransferError(f"{target} cannot be put in place: {error}") from None


def _space(sftp: paramiko.SFTPClient, folder: str, needed: int) -> str:
    """Why a bare 'Failure' may have happened: asks OpenSSH's `statvfs` extension, which paramiko has no call for."""
    from paramiko.sftp import CMD_EXTENDED, CMD_EXTENDED_REPLY

    client: Any = sftp
    with contextlib.suppress(*Failures):
        kind, message = client._request(CMD_EXTENDED, "statvfs@openssh.com", folder or ".")  # noqa: SLF001  # as said
        if kind == CMD_EXTENDED_REPLY:
            figures = [message.get_int64() for _ in range(8)]
            free = figures[1] * figures[4]
            if free < needed or figures[7] == 0 < figures[5]:
                return f" (the disk of the remote machine is full: {free} bytes are free)"
    return ""
