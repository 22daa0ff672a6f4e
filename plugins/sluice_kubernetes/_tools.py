"""`kubectl` and `helm` of this machine: found, and held against the version that a pipeline asks for.

Nothing is fetched: what runs in a job is what the machine's owner has put there, on the `PATH` or in the tools folder in
which the agent of Azure Pipelines keeps what its installers have fetched.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun

_VERSION = re.compile(r"v?(\d+)(?:\.(\d+|x))?(?:\.(\d+|x))?(?:[-+][\w.+-]+)?")
_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A program: how it tells its version, and how it is had."""

    name: str
    asks: tuple[str, ...]
    install: str


KUBECTL = Tool(
    name="kubectl",
    asks=("version", "--client", "--output=yaml"),
    install="install kubectl: https://kubernetes.io/docs/tasks/tools/",
)
HELM = Tool(name="helm", asks=("version", "--short"), install="install Helm 3: https://helm.sh/docs/intro/install/")


def wanted_version(text: str) -> str:
    """A version that a pipeline asks for: `''` for any; raises `TaskFailedError` for what is no version."""
    text = text.strip()
    if text.casefold() in {"", "latest", "stable"}:
        return ""
    if not _VERSION.fullmatch(text):
        raise TaskFailedError(f"'{text[:60]}' is no version", do="write 1.30.2, v1.30.2, 1.30 or latest")
    return text


def find_tool(run: TaskRun, tool: Tool, wanted: str = "") -> str:
    """Where the program of a version is (`''` for any); raises `TaskFailedError` with those that are there."""
    seen: list[str] = []
    for path in _places(run, tool):
        if not wanted or fits(version := version_of(path, tool), wanted):
            return path
        seen.append(f"{version or 'an unknown version'} at {path}")
    if seen:
        raise TaskFailedError(
            f"{tool.name} {wanted} is not on this machine",
            where=run.task,
            why=f"there is {', '.join(seen)}",
            do=f"{tool.install}; or ask for the version that is there",
        )
    raise TaskFailedError(f"Unable to locate executable file: '{tool.name}'", where=run.task, do=tool.install)


def fits(version: str, wanted: str) -> bool:
    """Whether a version is the wanted one; parts that are not said, or `x`, may be anything."""
    have, want = _VERSION.fullmatch(version), _VERSION.fullmatch(wanted)
    if have is None or want is None:
        return False
    return all(asked in {None, "x"} or asked == part for asked, part in zip(want.groups(), have.groups(), strict=True))


def _places(run: TaskRun, tool: Tool) -> Iterator[str]:
    """On the `PATH`, then in the tools folder of an agent: `TOOL/VERSION/ARCHITECTURE/TOOL`."""
    for folder in run.environment.get("PATH", os.defpath).split(os.pathsep):
        if folder and os.access(path := Path(folder) / tool.name, os.X_OK) and path.is_file():
            yield str(path)
    tools = run.variable("Agent.ToolsDirectory")
    if tools:
        known = [one for one in (Path(tools) / tool.name).glob(f"*/*/**/{tool.name}") if os.access(one, os.X_OK)]
        yield from (str(one) for one in sorted(known, reverse=True) if one.is_file())


def version_of(path: str, tool: Tool) -> str:
    """What the program says that it is, such as `v1.35.4`; `''` when it says nothing of the kind."""
    try:
        done = subprocess.run(
            [path, *tool.asks],
            env={"PATH": os.defpath, "HOME": "/nonexistent"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"v\d+\.\d+\.\d+[\w.+-]*", done.stdout)
    return found[0] if found else ""
