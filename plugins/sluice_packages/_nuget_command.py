"""`NuGetCommand@2`: restore and pack by `nuget`, push by the feed's own protocol, or any command of `nuget`."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun
from sluice_packages import _nuget_config, _nuget_push
from sluice_packages._login import no_feeds
from sluice_packages._process import Program
from sluice_packages._versions import package_version

INSTALL = (
    "install NuGet's command line, such as with 'apt-get install nuget' or from https://www.nuget.org/downloads; or use "
    "DotNetCoreCLI@2"
)


def run_nuget(run: TaskRun) -> None:
    """Carry out the `command` of the step."""
    command = run.input("command").strip()
    commands = {"restore": _restore, "pack": _pack, "push": push, "custom": _custom}
    if command not in commands:
        raise TaskFailedError(f"NuGet command '{command}' is not one of: {', '.join(commands)}", where=run.task)
    commands[command](run)


def push(run: TaskRun) -> None:
    """Push packages to the feed of a service connection; the same for `dotnet`."""
    if run.input("nuGetFeedType").strip() != "external":
        no_feeds(run.input("feedPublish") or "(publishVstsFeed)", run.task)
    connection = run.connection("externalEndpoint")
    files = _nuget_push.packages(run, run.required("searchPatternPush"))
    _nuget_push.push(run, connection, files, skip_existing=run.flag("allowPackageConflicts"))


def _restore(run: TaskRun) -> None:
    nuget = Program.find(run, "nuget", INSTALL)
    solutions = found(run, run.required("solution"))
    options = ["-NonInteractive", "-Verbosity", run.input("verbosityRestore") or "Detailed"]
    if run.flag("noCache"):
        options.append("-NoCache")
    if run.flag("disableParallelProcessing"):
        options.append("-DisableParallelProcessing")
    if run.input("packagesDirectory").strip():
        options += ["-PackagesDirectory", os.fspath(run.path("packagesDirectory"))]
    with _nuget_config.settings(run) as config:
        for solution in solutions:
            arguments = ["restore", os.fspath(solution), *options, "-ConfigFile", os.fspath(config)]
            nuget.execute(*arguments, folder=run.sources, added={})


def _pack(run: TaskRun) -> None:
    nuget = Program.find(run, "nuget", INSTALL)
    version = package_version(run)
    options = ["-NonInteractive", "-Verbosity", run.input("verbosityPack") or "Detailed"]
    options += ["-OutputDirectory", os.fspath(folder_of(run, "outputDir"))]
    properties = [one.strip() for one in run.input("buildProperties").split(";") if one.strip()]
    if (configuration := run.input("configurationToPack").strip()) and not configuration.startswith("$("):
        properties.append(f"Configuration={configuration}")
    if properties:
        options += ["-Properties", ";".join(properties)]
    if version:
        options += ["-Version", version]
    if run.flag("includeReferencedProjects"):
        options.append("-IncludeReferencedProjects")
    if run.flag("includeSymbols"):
        options.append("-Symbols")
    if run.flag("toolPackage"):
        options.append("-Tool")
    if run.input("basePath").strip():
        options += ["-BasePath", os.fspath(run.path("basePath"))]
    for project in found(run, run.required("searchPatternPack")):
        nuget.execute("pack", os.fspath(project), *options, folder=run.sources, added={})


def _custom(run: TaskRun) -> None:
    nuget = Program.find(run, "nuget", INSTALL)
    nuget.execute(*words(run, "arguments"), "-NonInteractive", folder=run.sources, added={})


def folder_of(run: TaskRun, name: str) -> Path:
    """The folder that an input names, made where it is missing; the artifact staging folder's own macro may be left over."""
    written = run.input(name).strip()
    if not written or written.startswith("$("):
        raise TaskFailedError(f"Input required: {name}", where=run.task)
    folder = run.path(name)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def found(run: TaskRun, patterns: str) -> Sequence[Path]:
    """The files that patterns (on lines, or between semicolons) name; raises `TaskFailedError` when there are none."""
    wanted = [one.strip() for one in patterns.replace(";", "\n").splitlines() if one.strip()]
    files: dict[Path, None] = {}
    for one in wanted:
        plain = run.sources / one
        if plain.is_file():
            files[plain] = None
        else:
            files |= dict.fromkeys(run.files(run.sources, [one]))
    if not files:
        raise TaskFailedError(f"No files matched the search pattern: {patterns}", where=run.task)
    return list(files)


def words(run: TaskRun, name: str) -> list[str]:
    """The words of an input, as a shell has them."""
    try:
        return shlex.split(run.input(name))
    except ValueError as error:
        raise TaskFailedError(f"{name} cannot be read", where=run.task, why=str(error)) from None
