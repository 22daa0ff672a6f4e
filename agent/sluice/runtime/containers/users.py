"""The user of the host in a container: the same number, so that files of the workspace belong to one user. Pure."""

from __future__ import annotations

import io
import tarfile

from sluice.values import dataclass

MAX_NAME = 32
SUDO_GROUP = "azure_pipelines_sudo"
SUDOERS = f"%{SUDO_GROUP} ALL=(ALL:ALL) NOPASSWD:ALL\n"
"""As on the agent: the user may become root in the container without a password, where it has sudo."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user of the host."""

    uid: int
    gid: int
    name: str

    @property
    def inner_name(self) -> str:
        """What the user is called in a container that does not know the number."""
        return f"{self.name[: MAX_NAME - len('_azpcontainer')]}_azpcontainer"


def entries(user: User, passwd: str, group: str) -> tuple[str, str] | None:
    """The files with the user and the groups added; None when the container knows the number already."""
    if any(fields[2:3] == [str(user.uid)] for fields in _fields(passwd)):
        return None
    name = user.inner_name
    groups = list(_fields(group))
    if not any(fields[2:3] == [str(user.gid)] for fields in groups):
        group = f"{_ended(group)}{name}:x:{user.gid}:\n"
    if not any(fields[0] == SUDO_GROUP for fields in groups):
        taken = {fields[2] for fields in groups if len(fields) > 2} | {str(user.gid)}
        number = next(number for number in range(3456, 65000) if str(number) not in taken)
        group = f"{_ended(group)}{SUDO_GROUP}:x:{number}:{name}\n"
    return f"{_ended(passwd)}{name}:x:{user.uid}:{user.gid}:{name}:/home/{name}:/bin/sh\n", group


def archive(user: User, passwd: str, group: str, *, sudo: bool) -> bytes:
    """The files, the home folder and (with `sudo`) the rule, to be unpacked at the root of the container."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        _add(tar, "etc/passwd", passwd, 0o644)
        _add(tar, "etc/group", group, 0o644)
        if sudo:
            _add(tar, f"etc/sudoers.d/{SUDO_GROUP}", SUDOERS, 0o440)
        home = tarfile.TarInfo(f"home/{user.inner_name}")
        home.type, home.mode, home.uid, home.gid = tarfile.DIRTYPE, 0o755, user.uid, user.gid
        tar.addfile(home)
    return buffer.getvalue()


def _add(tar: tarfile.TarFile, name: str, text: str, mode: int) -> None:
    content = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), mode
    tar.addfile(entry, io.BytesIO(content))


def _fields(text: str) -> list[list[str]]:
    return [line.split(":") for line in text.splitlines() if line.strip()]


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else f"{text}\n"
