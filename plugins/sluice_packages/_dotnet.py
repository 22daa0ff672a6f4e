"""`DotNetCoreCLI@2`: commands of `dotnet`, with the feeds of service connections."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun
from sluice_packages import _nuget_config
from sluice_packages._nuget_command import folder_of, found, push, words
from sluice_packages._process import Program
from sluice_packages._versions import package_version

INSTALL = "install the .NET SDK: https://dot.net/download, or a step with UseDotNet@2 before this one"
OUTPUTS = ("--output", "-o")


def run_dotnet(run: TaskRun) -> None:
    """Carry out the `command` of the step."""
    command = run.input("command").strip()
    special = {"restore": _restore, "push": push, "pack": _pack, "test": _test, "publish": _publish, "custom": _custom}
    if command in special:
        special[command](run)
    elif command in {"build", "run"}:
        for project in _projects(run):
            _dotnet(run, command, project, words(run, "arguments"))
    else:
        known = ", ".join((*special, "build", "run"))
        raise TaskFailedError(f"dotnet command '{command}' is not one of: {known}", where=run.task)


def _restore(run: TaskRun) -> None:
    options = words(run, "restoreArguments")
    if run.input("packagesDirectory").strip():
        options += ["--packages", os.fspath(run.path("packagesDirectory"))]
    if run.flag("noCache"):
        options.append("--no-cache")
    with _nuget_config.settings(run) as config:
        options += ["--configfile", os.fspath(config), *_verbosity(run, "verbosityRestore")]
        for project in _projects(run):
            _dotnet(run, "restore", project, options)


def _pack(run: TaskRun) -> None:
    options = ["--output", os.fspath(folder_of(run, "outputDir"))]
    if run.flag("nobuild"):
        options.append("--no-build")
    if (configuration := run.input("configurationToPack").strip()) and not configuration.startswith("$("):
        options += ["--configuration", configuration]
    if run.flag("includesymbols"):
        options.append("--include-symbols")
    if run.flag("includesource"):
        options.append("--include-source")
    properties = [one.strip() for one in run.input("buildProperties").split(";") if one.strip()]
    if version := package_version(run):
        properties.append(f"PackageVersion={version}")
    options += [f"-p:{one}" for one in properties]
    for project in found(run, run.required("searchPatternPack")):
        _dotnet(run, "pack", project, [*options, *_verbosity(run, "verbosityPack")])


def _test(run: TaskRun) -> None:
    """Test each project; what the tests say is published however they end."""
    arguments = words(run, "arguments")
    if not run.flag("publishTestResults"):
        for project in _projects(run):
            _dotnet(run, "test", project, arguments)
        return
    with tempfile.TemporaryDirectory(prefix="tests-", dir=run.temp) as name:
        logging = ["--logger", "trx", "--results-directory", name]
        try:
            for project in _projects(run):
                _dotnet(run, "test", project, [*arguments, *logging])
        finally:
            if not run.canceled:
                _report(run, sorted(Path(name).rglob("*.trx")))


def _report(run: TaskRun, files: Sequence[Path]) -> None:
    if files:
        run.publish_results("VSTest", files, title=run.input("testRunTitle").strip())
    else:
        run.warn("No test result files were found.")


def _publish(run: TaskRun) -> None:
    arguments = words(run, "arguments")
    given = _output(arguments)
    modify = run.flag("modifyOutputPath")
    for project in _published(run):
        name = project.parent.name if project.is_file() else project.name
        target = given / name if given is not None and modify else given
        own = arguments if target is None else _with_output(arguments, target)
        _dotnet(run, "publish", project, own)
        if run.flag("zipAfterPublish"):
            _pack_folder(run, target)


def _published(run: TaskRun) -> Sequence[Path]:
    """The projects to publish: those of the step, or every one that is for the web."""
    if not run.flag("publishWebProjects"):
        return _projects(run)
    projects = found(run, "**/*.csproj;**/*.vbproj;**/*.fsproj")
    web = [one for one in projects if _is_web(one)]
    if not web:
        raise TaskFailedError(
            "No web project was found in the repository.",
            where=run.task,
            why="web projects have a web.config or a folder wwwroot, or are of the SDK Microsoft.NET.Sdk.Web",
            do="set publishWebProjects to false, and projects",
        )
    return web


def _is_web(project: Path) -> bool:
    folder = project.parent
    if (folder / "wwwroot").is_dir() or any(one.name.casefold() == "web.config" for one in folder.iterdir()):
        return True
    return "microsoft.net.sdk.web" in project.read_text("utf-8", "replace")[: 1 << 16].casefold()


def _output(arguments: Sequence[str]) -> Path | None:
    for at, one in enumerate(arguments):
        name, equals, value = one.partition("=")
        if name in OUTPUTS:
            text = value if equals else (arguments[at + 1] if at + 1 < len(arguments) else "")
            return Path(text) if text else None
    return None


def _with_output(arguments: Sequence[str], target: Path) -> list[str]:
    made: list[str] = []
    skip = False
    for one in arguments:
        if skip:
            skip = False
        elif one.partition("=")[0] in OUTPUTS:
            skip = "=" not in one
        else:
            made.append(one)
    return [*made, "--output", os.fspath(target)]


def _pack_folder(run: TaskRun, target: Path | None) -> None:
    """An archive in place of the folder that was published."""
    if target is None:
        run.warn("zipAfterPublish takes an output folder: give --output among the arguments")
        return
    folder = run.sources / target
    if folder.is_dir():
        shutil.make_archive(os.fspath(folder), "zip", folder)
        shutil.rmtree(folder)
        run.say(f"Packed {folder.name}.zip")


def _custom(run: TaskRun) -> None:
    command = run.required("custom").strip()
    projects: Iterable[Path | None] = _projects(run) if run.input("projects").strip() else [None]
    for project in projects:
        _dotnet(run, command, project, words(run, "arguments"))


def _projects(run: TaskRun) -> Sequence[Path]:
    """The projects of the step; none written is whatever `dotnet` finds in the working folder."""
    patterns = run.input("projects").strip()
    return found(run, patterns) if patterns else [run.path("workingDirectory")]


def _verbosity(run: TaskRun, name: str) -> list[str]:
    chosen = run.input(name).strip()
    return ["--verbosity", chosen] if chosen not in {"", "-"} else []


def _dotnet(run: TaskRun, command: str, project: Path | None, arguments: Sequence[str]) -> None:
    dotnet = Program.find(run, "dotnet", INSTALL)
    named = [os.fspath(project)] if project is not None else []
    if command == "run" and named:
        named = ["--project", *named]
    quiet = {"DOTNET_CLI_TELEMETRY_OPTOUT": "1", "DOTNET_NOLOGO": "1"}
    dotnet.execute(command, *named, *arguments, folder=_folder(run), added=quiet)


def _folder(run: TaskRun) -> Path:
    folder = run.path("workingDirectory")
    if not folder.is_dir():
        raise TaskFailedError(f"Not found workingDirectory: {folder}", where=run.task)
    return folder
