"""Versions of packages, by the `versioningScheme` of the tasks that pack."""

from __future__ import annotations

import datetime as dt
import re

from sluice.plugin import TaskFailedError, TaskRun

_BUILD = re.compile(r"\d+\.\d+\.\d+(?:\.\d+)?")
_SEMVER = re.compile(r"\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?")


def package_version(run: TaskRun, *, now: dt.datetime | None = None) -> str:
    """The version that a package gets; '' for the one that its project says."""
    scheme = run.input("versioningScheme").strip()
    if scheme in {"", "off"}:
        return ""
    if scheme == "byPrereleaseNumber":
        numbers = [run.number(f"requested{part}Version") for part in ("Major", "Minor", "Patch")]
        local = run.input("packTimezone").strip().casefold() == "local"
        at = now or (dt.datetime.now().astimezone() if local else dt.datetime.now(dt.UTC))
        return f"{'.'.join(map(str, numbers))}-CI-{at:%Y%m%d-%H%M%S}"
    if scheme == "byEnvVar":
        name = run.required("versionEnvVar").strip()
        value = run.variable(name) or run.environment.get(name.upper().replace(".", "_"), "")
        if not value:
            raise TaskFailedError(f"the variable '{name}' that holds the version is not set", where=run.task)
        return value
    pattern = {"byBuildNumber": _BUILD, "bySemVerBuildNumber": _SEMVER}.get(scheme)
    if pattern is None:
        raise TaskFailedError(f"versioningScheme '{scheme}' is not known", where=run.task)
    number = run.variable("Build.BuildNumber")
    found = pattern.search(number)
    if found is None:
        raise TaskFailedError(
            f"the run's number '{number}' holds no version",
            where=run.task,
            do="give the pipeline a 'name' such as 1.2.3",
        )
    return found[0]
