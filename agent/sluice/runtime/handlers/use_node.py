"""`NodeTool@0` and `UseNode@1`: a Node.js of this machine; nothing is downloaded."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.handlers import tools
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.handlers.tools import Install
from sluice.runtime.step_scope import StepScope
from sluice.runtime.version_ranges import parse_version

_PROGRAMS = ("node", "npm", "npx", "corepack")
_ARCHITECTURES = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64", "i686": "x86"}
_MAX_FILE = 4096


def run_node_tool(scope: StepScope, inputs: StepInputs) -> None:
    """`NodeTool@0`: the version is an input, or the text of a file."""
    if inputs.text("versionSource", "spec").strip().casefold() == "fromfile":
        spec, where = _from_file(inputs), "versionFilePath"
    else:
        spec, where = inputs.text("versionSpec").strip(), "versionSpec"
    if not spec:
        raise TaskFailedError(f"Input required: {where}")
    _use(scope, inputs, spec, where)


def run_use_node(scope: StepScope, inputs: StepInputs) -> None:
    """`UseNode@1`: without a version there is nothing to do."""
    if spec := inputs.text("version").strip():
        _use(scope, inputs, spec, "version")
    else:
        scope.say("No version is asked for: the Node.js of the PATH stays.")


def _from_file(inputs: StepInputs) -> str:
    if not inputs.text("versionFilePath").strip():
        raise TaskFailedError("Input required: versionFilePath")
    path = inputs.path("versionFilePath")
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            text = file.read(_MAX_FILE).strip()
    except OSError as error:
        raise TaskFailedError(
            "The file with the version cannot be read", where=os.fspath(path), why=error.strerror or ""
        ) from error
    if path.name == ".tool-versions":
        found = re.search(r"^nodejs\s+(\S+)", text, re.MULTILINE)
        return found[1] if found else ""
    return text.splitlines()[0].strip().removeprefix("v") if text else ""


def _use(scope: StepScope, inputs: StepInputs, spec: str, where: str) -> None:
    folder = tools.tools_folder(scope)
    installs = [*_cached(folder, inputs), *_on_machine(scope, inputs)]
    found = tools.choose(installs, spec, "Node.js", folder=folder, where=where)
    scope.say(f"Found Node.js {found.version} in {found.root}")
    tools.prepend(scope, tools.expose(scope, "node", found) / "bin")


def _cached(folder: Path, inputs: StepInputs) -> Iterator[Install]:
    machine = platform.machine().lower()
    architecture = "x86" if inputs.flag("force32bit") else _ARCHITECTURES.get(machine, machine)
    for version, root in tools.cached(folder, "node", architecture).items():
        yield Install(version, root, {})


def _on_machine(scope: StepScope, inputs: StepInputs) -> Iterator[Install]:
    """Those of nvm, n and nodenv, and of the PATH; each file is asked once."""
    home = Path(scope.job.environ.get("HOME", "/"))
    candidates = [
        folder / "node"
        for base, pattern in (
            (Path(scope.job.environ.get("NVM_DIR") or home / ".nvm"), "versions/node/*/bin"),
            (Path(scope.job.environ.get("N_PREFIX") or "/usr/local"), "n/versions/node/*/bin"),
            (Path(scope.job.environ.get("NODENV_ROOT") or home / ".nodenv"), "versions/*/bin"),
        )
        for folder in tools.folders_of(base, pattern)
    ]
    asked: set[str] = set()
    for path in (*candidates, *tools.on_path(inputs, ("node",))):
        real = os.path.realpath(path)
        if real in asked or not Path(real).is_file() or "shims" in path.parts:
            continue
        asked.add(real)
        version = parse_version(tools.ask_version(path, ("--version",), inputs.environment))
        if version is not None:
            root = path.parent.parent
            own = path.parent.name == "bin" and not tools.is_shared(root)
            beside = {name: path.parent / name for name in _PROGRAMS if (path.parent / name).exists()}
            yield Install(version, root, beside, own=own)
