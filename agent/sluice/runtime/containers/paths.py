"""What the folders of a job are called in its containers, as the agent calls them. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from sluice.values import dataclass

WORK = "/__w"
TEMP = "/__w/_temp"
TASKS = "/__w/_tasks"
TOOLS = "/__t"
ROOT = "/__a"
NODE = "/__a/externals/node/bin/node"
WORKSPACE = "/__w/1"
"""`Pipeline.Workspace`: the agent numbers them, a container has but one."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A folder of the host in a container; `kind` is what `mountReadOnly` calls it."""

    host: str
    container: str
    kind: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class PathMap:
    """Pairs of host and container folders, the deepest host folder first."""

    pairs: tuple[tuple[str, str], ...]

    def inner(self, text: str) -> str:
        """A text that is, or begins with, a folder of the host: with what the container calls it."""
        return _translate(text, self.pairs)

    def outer(self, text: str) -> str | None:
        """A path of the container as the host calls it; None when it lies in no folder that both have."""
        path = os.path.normpath(text) if text.startswith("/") else text
        pairs = sorted(((inner, host) for host, inner in self.pairs), key=lambda pair: -len(pair[0]))
        translated = _translate(path, pairs)
        return translated if translated != path else None


def mounts(
    work: Path, workspace: Path, temp: Path, tasks: Iterable[Path], earlier: Path | None = None, node: str = ""
) -> tuple[Mount, ...]:
    """What is mounted: nothing of the folder above the work folder, where Sluice may keep its keys.

    `earlier` is another workspace below the work folder that the job goes on in, `node` the Node that a person has
    chosen for task packages ('' for none).
    """
    found = [
        Mount(os.fspath(workspace), WORKSPACE, "work"),
        Mount(os.fspath(temp), TEMP, "temp"),
        Mount(f"{work}/_tool", TOOLS, "tools"),
    ]
    found += [Mount(os.fspath(folder), f"{TASKS}/{number}", "tasks") for number, folder in enumerate(tasks)]
    if earlier is not None:
        found.append(Mount(os.fspath(earlier), f"{WORK}/{earlier.relative_to(work)}", "work"))
    if node:
        found.append(Mount(node, NODE, "externals"))
    fixed = {"tasks", "externals"}
    return tuple(Mount(one.host, one.container, one.kind, read_only=one.kind in fixed) for one in found)


def path_map(work: Path, mounted: Iterable[Mount]) -> PathMap:
    """How paths are translated: also folders that are not mounted have their names."""
    pairs: Mapping[str, str] = {os.fspath(work): WORK, **{one.host: one.container for one in mounted}}
    above = os.fspath(work.parent)
    known = dict(pairs) if above == "/" or above in pairs else {**pairs, above: ROOT}
    return PathMap(tuple(sorted(known.items(), key=lambda pair: -len(pair[0]))))


def _translate(text: str, pairs: Iterable[tuple[str, str]]) -> str:
    for source, target in pairs:
        if text == source:
            return target
        if text.startswith(f"{source}/"):
            return target + text[len(source) :]
    return text
