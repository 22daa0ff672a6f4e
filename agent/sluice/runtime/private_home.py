"""The home folder of a job's steps: the job's own, with the person's caches and tools in it, and none of their log-ins.

What a step leaves at home (`~/.docker`, `~/.npmrc`, `~/.m2/settings.xml`, `~/.aws`) goes with the job, and what a person
left there is not at hand. A build that starts with empty caches would be slow, and a tool that is installed at home
could not be found: those folders are linked. A cache that the person does not have is kept in the work folder.

`SLUICE_JOB_HOME=user` leaves steps the home of the person who runs Sluice.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sluice.runtime.workspace import WorkspaceError

if TYPE_CHECKING:
    from sluice.runtime.spare_homes import SpareHomes

_Links = tuple[tuple[str, str], ...]

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

_MAVENRC_NAME = ".mavenrc"

MAVENRC = """\
case "$HOME" in
  *[[:space:]]*) ;;
  *) MAVEN_OPTS="$MAVEN_OPTS -Duser.home=$HOME" ;;
esac
"""
"""What `mvn` and `mvnw` read from the home before they start Java, which takes the person's home, whatever `HOME` says.

So Maven's settings are the job's too. It takes options that are split at white space.
"""


def job_home(environ: Mapping[str, str], temp: Path, work: Path, spares: SpareHomes | None = None) -> dict[str, str]:
    """Make the home of a job in its private folder, or take a spare one; answers the environment that leads there.

    Raises `WorkspaceError` when the disk does not let us.
    """
    if os.name != "posix" or environ.get(SETTING, "").strip().casefold() == USERS:
        return {}
    home = Path(home_in(temp))
    if not home.is_dir():  # it is there when a job goes on
        try:
            _settle(home, _links(Path(environ["HOME"]) if environ.get("HOME") else None, work / "_caches"), spares)
        except OSError as error:
            place = str(error.filename or home)
            raise WorkspaceError("the job's home cannot be made", where=place, why=error.strerror or "") from error
    return {"HOME": os.fspath(home)}


def home_in(temp: Path) -> str:
    """Where the home of a job lies."""
    return f"{temp}/.tools/home"


def _settle(home: Path, links: _Links, spares: SpareHomes | None) -> None:
    # texts and plain calls: this is on the way of every job
    place = os.fspath(home)
    if spares is not None and spares.take(place, links):
        return
    home.mkdir(mode=0o700, parents=True)
    around = _around(tuple(name for name, _ in links))
    for folder in around:
        os.mkdir(f"{place}/{folder}", 0o700)  # noqa: PTH102
    for name, target in links:
        os.symlink(target, f"{place}/{name}", target_is_directory=True)  # noqa: PTH211
    with open(f"{place}/{_MAVENRC_NAME}", "w", encoding="ascii") as file:  # noqa: PTH123
        file.write(MAVENRC)
    if spares is not None:
        spares.lend(place, links, (*around, _MAVENRC_NAME))


@functools.cache
def _links(person: Path | None, spare: Path) -> _Links:
    """What is linked, and where to. Looked at once a process: a tool that is installed meanwhile is found by the next."""
    found = [(name, person / name) for name in (*TOOLS, *CACHES) if person and (person / name).is_dir()]
    known = {name for name, _ in found}
    for name in CACHES:
        if name not in known:
            (spare / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            found.append((name, spare / name))
    return tuple((name, os.fspath(target)) for name, target in found)


@functools.cache
def _around(names: tuple[str, ...]) -> tuple[str, ...]:
    """The folders around what is linked, outer ones first."""
    folders = (around for name in names for around in reversed(Path(name).parents) if around != Path())
    return tuple(dict.fromkeys(map(os.fspath, folders)))
