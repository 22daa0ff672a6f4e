"""What a step that runs a task package is about to do: its handler, its inputs, its connections."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from sluice.errors import TaskFailedError
from sluice.hooks.connection import Connection
from sluice.runtime.job_state import JobState
from sluice.runtime.logging_commands import Command
from sluice.runtime.packages.choosing import NODE, POWERSHELL, choose_handler
from sluice.runtime.packages.manifest import HandlerSpec, TaskManifest
from sluice.runtime.place import HOST, Place
from sluice.runtime.request import StepRequest
from sluice.runtime.secure_files import SecureFile
from sluice.values import dataclass

NODE_VARIABLE = "SLUICE_NODE"
"""Environment variable that names the Node for task packages, when it is not the one on the PATH."""

_INSTALL_NODE = (
    "install Node.js 20 or newer (apt-get install nodejs, brew install node, https://nodejs.org), "
    f"or name one with {NODE_VARIABLE}=/path/to/node"
)
_INSTALL_PWSH = "install PowerShell: https://learn.microsoft.com/powershell/scripting/install/installing-powershell"
_SDK = "ps_modules/VstsTaskSdk/VstsTaskSdk.psd1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A task package whose files are known to be the right ones."""

    folder: Path
    manifest: TaskManifest


class Packages(Protocol):
    """The packages of the place that a job runs in."""

    @property
    def node(self) -> str:
        """The Node to run handlers in; '' for the one on the PATH."""

    @property
    def node_options(self) -> Sequence[str]:
        """What to start it with, such as `--inspect-brk`."""

    @property
    def observe(self) -> Callable[[Command], None] | None:
        """Told every logging command of a package, masked, when somebody wants to know them."""

    def open(self, package: str) -> Package:
        """The package of that id and version (`<id>@<version>`); raises `SluiceError` if missing or changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageRun:
    """An execution of a package, decided: the same for each attempt of its step.

    `program` and `arguments` start the handler; `inputs` are in their final form, `opened` and `files` are the
    connections and the secure files that they name.
    """

    package: Package
    handler: HandlerSpec
    program: str
    arguments: tuple[str, ...]
    inputs: Mapping[str, str]
    opened: Mapping[str, Sequence[Connection]]
    files: tuple[SecureFile, ...] = ()
    observe: Callable[[Command], None] | None = None

    @property
    def banner(self) -> tuple[str, str, str, str, str]:
        """Label, description, version, author and help, as the log's head shows them."""
        manifest = self.package.manifest
        return (
            manifest.label or manifest.name,
            manifest.description,
            manifest.version_text,
            manifest.author,
            manifest.help,
        )


def plan_execution(
    job: JobState,
    step: StepRequest,
    packages: Packages,
    inputs: dict[str, str],
    *,
    expand: Callable[[str], str],
    open_connections: Callable[[dict[str, str]], Mapping[str, Sequence[Connection]]],
    open_files: Callable[[dict[str, str]], Mapping[str, SecureFile]],
    place: Place = HOST,
) -> PackageRun:
    """Decide how a step runs its package.

    `inputs` are what the step says, with macros replaced; `open_connections` and `open_files` open what they name
    and put ids in their place. Raises `SluiceError` when it cannot run: missing, changed, no handler, no Node.
    """
    package = packages.open(step.package)
    manifest = package.manifest
    handler = choose_handler(manifest, step.execution, windows=os.name == "nt")
    known = {name.lower() for name in inputs}
    for one in manifest.inputs:
        if one.name.lower() not in known:
            inputs[one.name] = expand(one.default.strip())
    _require(step, manifest)
    program, arguments = _command(job, package, handler, packages, place)
    opened = open_connections(inputs)
    files = open_files(inputs)
    ids = {name.lower(): ",".join(one.id.lower() for one in several) for name, several in opened.items()}
    inputs = {name: ids.get(name.lower(), value) for name, value in inputs.items()}
    sources = job.variables.text("System.DefaultWorkingDirectory") or os.fspath(job.workspace.sources)
    root = Path(place.inner(sources))
    return PackageRun(
        package=package,
        handler=handler,
        program=program,
        arguments=arguments,
        inputs=resolve_paths(manifest, inputs, root),
        opened=opened,
        files=tuple(files.values()),
        observe=packages.observe,
    )


def resolve_paths(manifest: TaskManifest, inputs: Mapping[str, str], root: Path) -> dict[str, str]:
    """The inputs, those of type `filePath` as full paths; also an empty one starts at the root."""
    paths = {one.name.lower() for one in manifest.inputs if one.type.lower() == "filepath"}
    return {name: _full_path(root, value) if name.lower() in paths else value for name, value in inputs.items()}


def _require(step: StepRequest, manifest: TaskManifest) -> None:
    """Refuse a step that leaves out an input which shows and is required, in the words of the task library.

    The service refuses such a pipeline, so tasks do not reckon with it. A macro counts as a value, whatever it comes to.
    """
    if not any(one.required for one in manifest.inputs):
        return
    from sluice.language.tasks import TaskDefinition
    from sluice.language.visibility import missing_inputs

    definition = TaskDefinition(reference=manifest.reference, inputs=manifest.inputs)
    for missing in missing_inputs(definition, step.inputs):
        raise TaskFailedError(f"Input required: {missing.name}")


def _command(
    job: JobState, package: Package, handler: HandlerSpec, packages: Packages, place: Place
) -> tuple[str, tuple[str, ...]]:
    """The program of a handler and what it is started with; a plain process has its own.

    In a container the program is looked for when it starts: here is only its name.
    """
    kind = handler.kind.lower()
    if place.contained and kind not in {*NODE, POWERSHELL}:
        raise TaskFailedError(
            f"the handler '{handler.kind}' of {package.manifest.reference} does not run in a container",
            do="write 'target: host' at the step",
        )
    if kind in NODE and place.contained:
        return "node", (place.inner(str(_target(package, handler))),)
    if kind == POWERSHELL and place.contained:
        return "pwsh", _powershell(job, _target(package, handler), place)
    if kind in NODE:
        target = _target(package, handler)
        return _find_node(job, packages), (*packages.node_options, str(target))
    if kind == POWERSHELL:
        return _find("pwsh", job, _INSTALL_PWSH), _powershell(job, _target(package, handler), place)
    return handler.target, ()


def _target(package: Package, handler: HandlerSpec) -> Path:
    path = Path(os.path.normpath(package.folder / handler.target.replace("\\", "/")))
    if package.folder not in path.parents or not path.is_file():
        raise TaskFailedError(
            f"the package of {package.manifest.reference} has no '{handler.target}'",
            where=str(package.folder),
            do="build the task first, and install it again",
        )
    return path


def _find_node(job: JobState, packages: Packages) -> str:
    if packages.node:
        found = shutil.which(packages.node)
        if found is None:
            raise TaskFailedError(f"there is no Node at '{packages.node}'", do=_INSTALL_NODE)
        return found
    return _find("node", job, _INSTALL_NODE)


def _find(program: str, job: JobState, install: str) -> str:
    """On the PATH of the host: what a step has put before it does not choose what runs tasks."""
    found = shutil.which(program, path=job.environ.get("PATH", ""))
    if found is None:
        raise TaskFailedError(f"Unable to locate executable file: '{program}'", why="it is not on the PATH", do=install)
    return found


def _powershell(job: JobState, script: Path, place: Place) -> tuple[str, ...]:
    sdk = script.parent / _SDK
    if not sdk.is_file():
        raise TaskFailedError("the package has no PowerShell task library", why=f"Not found: {sdk}")
    preference = "Continue" if job.variables.flag("System.Debug") else "SilentlyContinue"
    # A quoted name within a quoted script block: quotes are doubled once for each.
    name = place.inner(str(script)).replace("'", "''''")
    module = place.inner(str(sdk)).replace("'", "''")
    command = (
        f"$VerbosePreference = '{preference}' ; $DebugPreference = '{preference}' ; "
        f"Import-Module -Name '{module}' -ArgumentList @{{ NonInteractive = $true }} -ErrorAction Stop ; "
        f"Invoke-VstsTaskScript -ScriptBlock ([scriptblock]::Create('. ''{name}'''))"
    )
    return ("-NoLogo", "-NoProfile", "-NonInteractive", "-Command", command)


def _full_path(root: Path, value: str) -> str:
    joined = os.path.join(root, value)  # noqa: PTH118  # an absolute value stands for itself, a last slash stays
    path = os.path.normpath(joined)
    return f"{path}/" if value.endswith("/") and path != "/" else path
