"""`UsePythonVersion@0`: a Python of this machine, from the tool cache or wherever it is installed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from sluice.errors import TaskFailedError
from sluice.runtime.handlers import tools
from sluice.runtime.handlers.inputs import StepInputs
from sluice.runtime.handlers.tools import Install
from sluice.runtime.step_scope import StepScope
from sluice.runtime.version_ranges import parse_version

OUTPUT = "pythonLocation"

_NAMES = ("python", "python3", *(f"python3.{minor}" for minor in range(30)))
_BESIDE = ("pip", "pip3")
_ASK = "import sys; print('%d.%d.%d' % sys.version_info[:3] + ('' if sys.version_info[3] == 'final' else '-%s%d' % sys.version_info[3:5])); print(sys.implementation.name)"


def run(scope: StepScope, inputs: StepInputs) -> None:
    """Find it, say where it is, and put it on the PATH unless `addToPath` says otherwise."""
    spec = inputs.text("versionSpec").strip()
    if not spec:
        raise TaskFailedError("Input required: versionSpec")
    pypy = spec.upper().startswith("PYPY")
    folder = tools.tools_folder(scope)
    wanted = to_range(spec[4:] if pypy else spec)
    if pypy:
        installs = list(_cached(folder, "PyPy", inputs)) + list(_on_machine(scope, inputs, "pypy"))
    else:
        installs = list(_cached(folder, "Python", inputs)) + list(_on_machine(scope, inputs, "cpython"))
    found = tools.choose(installs, wanted, "PyPy" if pypy else "Python", folder=folder, where="versionSpec")
    root = tools.expose(scope, "python", found)
    scope.say(f"Found Python {found.version} in {found.root}")
    scope.set_output(OUTPUT, os.fspath(root / "bin" if pypy else root))
    if inputs.text("addToPath", "true").strip().casefold() == "true":
        tools.prepend(scope, root, root / "bin")


def to_range(spec: str) -> str:
    """A range of versions from Python's own spellings: `3.13-dev` takes pre-releases, `3.13.0rc1` is one."""
    spec = spec.strip().lower() or "*"
    if spec.endswith("-dev"):
        return f">={spec[: -len('-dev')]}.0-a0"
    return re.sub(r"(\d+\.\d+\.\d+)((?:a|b|rc)\d+)", r"\1-\2", spec)


def _cached(folder: Path, name: str, inputs: StepInputs) -> Iterator[Install]:
    architecture = inputs.text("architecture", "x64").strip()
    for version, root in tools.cached(folder, name, architecture).items():
        yield Install(version, root, {"python": root / "bin" / "python"})


def _on_machine(scope: StepScope, inputs: StepInputs, implementation: str) -> Iterator[Install]:
    """Interpreters of the PATH and of pyenv; each file is asked once."""
    home = Path(scope.job.environ.get("PYENV_ROOT") or Path(scope.job.environ.get("HOME", "/")) / ".pyenv")
    candidates = [root / "python" for root in tools.folders_of(home / "versions", "*/bin")]
    candidates += tools.on_path(inputs, _NAMES if implementation == "cpython" else ("pypy3", "pypy"))
    asked: set[str] = set()
    for path in candidates:
        real = os.path.realpath(path)
        if real in asked or not Path(real).is_file() or "shims" in path.parts:
            continue
        asked.add(real)
        lines = tools.ask_version(path, ("-I", "-c", _ASK), inputs.environment).splitlines()
        version = parse_version(lines[0]) if len(lines) == 2 and lines[1] == implementation else None
        if version is not None:
            yield _installed(Install(version, path.parent.parent, {}), path)


def _installed(install: Install, path: Path) -> Install:
    own = path.parent.name == "bin" and not tools.is_shared(install.root) and (path.parent / "python").exists()
    minor = f"python{install.version.numbers[0]}.{install.version.numbers[1]}"
    programs = dict.fromkeys(("python", f"python{install.version.numbers[0]}", minor), path)
    for name in (*_BESIDE, f"pip{minor.removeprefix('python')}"):
        beside = path.parent / name
        if beside.is_file() and _runs(beside, path):
            programs[name] = beside
    return Install(install.version, install.root, programs, own=own)


def _runs(script: Path, interpreter: Path) -> bool:
    """Whether a script is run by this interpreter: its first line says so."""
    try:
        with script.open("rb") as file:
            first = file.readline(256).decode("utf-8", "replace").strip()
    except OSError:
        return False
    return first.startswith("#!") and os.path.realpath(first[2:].strip().split(" ")[0]) == os.path.realpath(interpreter)
