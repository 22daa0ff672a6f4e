"""`Maven@4`: goals of Maven, with the settings that `MavenAuthenticate@0` wrote; results of its tests become the run's."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path

from sluice.plugin import TaskFailedError, TaskRun
from sluice_packages._login import no_feeds

INSTALL = "install Maven, such as with 'apt-get install maven', or name a folder with mavenDirectory"
ANALYSES = (
    "sqAnalysisEnabled",
    "checkstyleAnalysisEnabled",
    "pmdAnalysisEnabled",
    "findbugsAnalysisEnabled",
    "spotBugsAnalysisEnabled",
)


def run_maven(run: TaskRun) -> None:
    """Run the goals; raises `TaskFailedError` when Maven fails, once results of tests are published."""
    _refuse(run)
    pom = run.path("mavenPOMFile")
    if not pom.is_file():
        raise TaskFailedError(f"Not found mavenPOMFile: {pom}", where=run.task)
    command = (_program(run), "-f", os.fspath(pom), *_split(run, "options"), *_split(run, "goals"))
    try:
        status = run.execute(command, folder=run.sources, environment=_environment(run))
    finally:
        if run.flag("publishJUnitResults") and not run.canceled:
            _publish(run)
    if status:
        raise TaskFailedError(f"Maven failed with exit code {status}", where=run.task)


def _refuse(run: TaskRun) -> None:
    """What the task does in Azure Pipelines beside running goals, and does not do here."""
    if run.flag("mavenFeedAuthenticate"):
        no_feeds("(mavenAuthenticateFeed)", run.task)
    if (tool := run.input("codeCoverageTool").strip()) not in {"", "None"}:
        raise TaskFailedError(
            f"codeCoverageToolOption {tool} is not supported",
            where=run.task,
            why="the task does not change a pom.xml",
            do="put the plugin of JaCoCo into it, and publish its report with PublishCodeCoverageResults@2",
        )
    if wanted := [name for name in ANALYSES if run.flag(name)]:
        raise TaskFailedError(
            f"{wanted[0]} is not supported", where=run.task, do="put the analysis into the pom.xml, or into the goals"
        )


def _program(run: TaskRun) -> str:
    if run.input("mavenVersionSelection") != "Path":
        return run.program("mvn", install=INSTALL)
    run.required("mavenPath")
    found = run.path("mavenPath") / "bin" / "mvn"
    if not found.is_file():
        raise TaskFailedError(f"Not found: {found}", where=run.task, do=INSTALL)
    return os.fspath(found)


def _environment(run: TaskRun) -> dict[str, str]:
    environment = {**run.environment}
    if options := run.input("mavenOpts").strip():
        environment["MAVEN_OPTS"] = options
    if home := _java_home(run):
        environment["JAVA_HOME"] = home
    if run.flag("mavenSetM2Home") and run.input("mavenVersionSelection") == "Path":
        environment["M2_HOME"] = os.fspath(run.path("mavenPath"))
    return environment


def _java_home(run: TaskRun) -> str:
    """The JDK that the step names: a folder, or the variable that a host has for a version (`JAVA_HOME_17_X64`)."""
    if run.input("javaHomeSelection") == "Path":
        run.required("jdkUserInputPath")
        return os.fspath(run.path("jdkUserInputPath"))
    version = run.input("jdkVersion").strip().removeprefix("1.")
    if version in {"", "default"}:
        return ""
    name = f"JAVA_HOME_{version}_{run.input('jdkArchitecture').upper()}"
    found = run.environment.get(name) or run.variable(name)
    if not found:
        raise TaskFailedError(
            f"Failed to find the specified JDK version: {version}",
            where=run.task,
            why=f"the variable {name} is not set",
            do="set it to the folder of the JDK, or use javaHomeOption: Path",
        )
    return found


def _publish(run: TaskRun) -> None:
    pattern = run.input("testResultsFiles").strip()
    found: Sequence[Path] = run.files(run.sources, [pattern]) if pattern else []
    if not found:
        run.say(
            f"No test result files matching {pattern} were found, so publishing JUnit test results is being skipped."
        )
        return
    run.publish_results("JUnit", found, title=run.input("testRunTitle").strip())


def _split(run: TaskRun, name: str) -> list[str]:
    try:
        return shlex.split(run.input(name))
    except ValueError as error:
        raise TaskFailedError(f"{name} cannot be read", where=run.task, why=str(error)) from None
