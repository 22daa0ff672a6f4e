"""Tools that are installed on this machine in several versions: in the tool cache, and wherever they are found."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.restrictions import may_set
from sluice.runtime.step_scope import REFUSED_VARIABLE, StepScope
from sluice.runtime.version_ranges import Version, best, parse_version
from sluice.values import dataclass

ASK_SECONDS = 10.0
"""How long a program may take to tell its version."""

_SHARED = frozenset({"/", "/usr", "/usr/local", "/opt"})


@dataclass(frozen=True, slots=True)
class Install:
    """An installed tool: its version, the folder that it is in, and its programs by the name to call them by.

    `own` says that the folder of its programs holds nothing else, so that it can go on the PATH as it is.
    """

    version: Version
    root: Path
    programs: Mapping[str, Path]
    own: bool = True


def tools_folder(scope: StepScope) -> Path:
    """The tool cache: what `AGENT_TOOLSDIRECTORY` says, else `Agent.ToolsDirectory`."""
    job = scope.job
    named = job.environ.get("AGENT_TOOLSDIRECTORY", "") or job.variables.text("Agent.ToolsDirectory")
    return Path(named) if named else job.request.work / "_tool"


def cached(folder: Path, name: str, architecture: str) -> dict[Version, Path]:
    """What the tool cache has of a tool: `<name>/<version>/<architecture>`, marked complete beside it."""
    found: dict[Version, Path] = {}
    for path in _folders(folder / name):
        version = parse_version(path.name)
        if version is not None and (path / f"{architecture}.complete").is_file() and (path / architecture).is_dir():
            found[version] = path / architecture
    return found


def ask_version(program: Path, arguments: Iterable[str], environment: Mapping[str, str]) -> str:
    """What a program prints; '' when it fails or takes too long."""
    try:
        asked = subprocess.run(
            (os.fspath(program), *arguments),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=ASK_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout[:4096].decode("utf-8", "replace").strip() if asked.returncode == 0 else ""


def choose(installs: Iterable[Install], spec: str, label: str, *, folder: Path, where: str) -> Install:
    """The newest install in a range; raises `TaskFailedError` that tells what there is."""
    known: dict[Version, Install] = {}
    for install in installs:
        known.setdefault(install.version, install)
    try:
        version = best(known, spec)
    except ValueError as error:
        raise TaskFailedError(
            f"{where}: {error}", do="write a version such as '3.11', or a range such as '>=18 <20'"
        ) from error
    if version is None:
        found = ", ".join(f"{one} ({known[one].root})" for one in sorted(known)) or "none"
        raise TaskFailedError(
            f"Version spec {spec} did not match any version of {label} on this machine",
            why=f"found: {found}",
            do=f"install it (Sluice downloads nothing), or put it into the tool cache {folder}",
        )
    return known[version]


def expose(scope: StepScope, name: str, install: Install) -> Path:
    """Let the steps that follow find a tool first; answers the folder that its `bin` folder is in.

    One whose folder holds other programs too is linked to from a folder of its own, so that nothing else changes.
    """
    root = install.root
    if not install.own:
        root = scope.job.workspace.temp / f"_{name}" / str(install.version)
        folder = root / "bin"
        folder.mkdir(parents=True, exist_ok=True)
        for program, path in install.programs.items():
            (folder / program).unlink(missing_ok=True)
            (folder / program).symlink_to(path)
    return root


def prepend(scope: StepScope, *folders: Path) -> None:
    """Put folders before all others on the PATH of the steps that follow; the last one comes first."""
    job = scope.job
    if not may_set(scope.step, "PATH", scope.settable_by_task):
        scope.issue("warning", REFUSED_VARIABLE.format("PATH"))
        return
    for folder in folders:
        scope.say(f"Prepending PATH environment variable with directory: {folder}")
        text = os.fspath(folder)
        with job.lock:
            if text in job.prepended:
                job.prepended.remove(text)
            job.prepended.insert(0, text)


def is_shared(root: Path) -> bool:
    """Whether a folder is one that many programs are installed to."""
    return os.fspath(root) in _SHARED


def on_path(inputs: StepInputs, names: Iterable[str]) -> list[Path]:
    """Every program of these names on the PATH, in its order."""
    folders = inputs.environment.get("PATH", "").split(os.pathsep)
    paths = (Path(folder) / name for folder in folders if folder for name in names)
    return [path for path in paths if path.is_file() and os.access(path, os.X_OK)]


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir())
    except OSError:
        return []


def folders_of(folder: Path, pattern: str) -> list[Path]:
    """The folders that a pattern such as `*/bin` finds below one, sorted."""
    return sorted(folder.glob(pattern)) if folder.is_dir() else []
