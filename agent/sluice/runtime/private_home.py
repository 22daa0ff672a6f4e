"""The home folder of a job's steps: the job's own, with the person's caches and tools in it, and none of their log-ins.

What a step leaves at home (`~/.docker`, `~/.npmrc`, `~/.m2/settings.xml`, `~/.aws`) goes with the job, and what a person
left there is not at hand. A build that starts with empty caches would be slow, and a tool that is installed at home
could not be found: those folders are linked. A cache that the person does not have is kept in the work folder.

`SLUICE_JOB_HOME=user` leaves steps the home of the person who runs Sluice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sluice.runtime.workspace import WorkspaceError

SETTING = "SLUICE_JOB_HOME"
USERS = "user"
"""The value of the setting with which steps get the person's own home."""

CACHES = (
    ".cache/go-build",
    ".cache/ms-playwright",
    ".cache/pip",
    ".cache/pnpm",
    ".cache/pypoetry",
    ".cache/uv",
    ".cache/yarn",
    ".cargo/git",
    ".cargo/registry",
    ".gradle/caches",
    ".gradle/wrapper",
    ".ivy2/cache",
    ".m2/repository",
    ".npm",
    ".nuget/packages",
    "go/pkg",
)
"""Folders that only hold what can be fetched or made again."""

TOOLS = (
    ".asdf",
    ".bun",
    ".cargo/bin",
    ".deno",
    ".dotnet",
    ".jenv",
    ".local/bin",
    ".local/lib",
    ".local/share/mise",
    ".nvm",
    ".pyenv",
    ".rbenv",
    ".rustup",
    ".sdkman",
    ".volta",
    "go/bin",
)
"""Folders in which tools are installed for one person."""


def job_home(environ: Mapping[str, str], temp: Path, work: Path) -> dict[str, str]:
    """Make the home of a job in its private folder; answers the environment that leads there.

    Raises `WorkspaceError` when the disk does not let us.
    """
    if os.name != "posix" or environ.get(SETTING, "").strip().casefold() == USERS:
        return {}
    home = temp / ".tools" / "home"
    if not home.is_dir():  # it is there when a job goes on
        try:
            home.mkdir(mode=0o700, parents=True)
            _furnish(home, Path(environ["HOME"]) if environ.get("HOME") else None, work / "_caches")
        except OSError as error:
            place = str(error.filename or home)
            raise WorkspaceError("the job's home cannot be made", where=place, why=error.strerror or "") from error
    return {"HOME": os.fspath(home)}


def _furnish(home: Path, person: Path | None, spare: Path) -> None:
    for name in TOOLS:
        if person and (person / name).is_dir():
            _link(home / name, person / name)
    for name in CACHES:
        target = person / name if person and (person / name).is_dir() else spare / name
        if not target.is_dir():
            target.mkdir(mode=0o700, parents=True, exist_ok=True)
        _link(home / name, target)


def _link(place: Path, target: Path) -> None:
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.symlink_to(target, target_is_directory=True)
