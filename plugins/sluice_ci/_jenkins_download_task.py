"""`JenkinsDownloadArtifacts@2`: the artifacts of a build of Jenkins."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sluice.plugin import TaskFailedError, TaskRun
from sluice_ci._archive import unpack
from sluice_ci._jenkins import PRODUCT, Jenkins, job_path
from sluice_ci._service import Patience
from sluice_ci._words import printable

MULTIBRANCH = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"
ROOT = "archive"
"""The folder that Jenkins puts all artifacts into."""


def download_artifacts(run: TaskRun) -> None:
    """Download the artifacts that the pattern selects into the folder `saveTo`."""
    if run.flag("propagatedArtifacts"):
        raise TaskFailedError(
            "Downloading artifacts from Azure Storage is not supported",
            where=run.task,
            do="leave propagatedArtifacts out, to download from Jenkins itself",
        )
    if run.flag("downloadCommitsAndWorkItems"):
        run.warn("downloadCommitsAndWorkItems has no effect: only the artifacts are downloaded.")
    jenkins = Jenkins(run.connection("serverEndpoint"))
    run.required("saveTo")
    target = run.path("saveTo")
    build = _build(run, jenkins)
    answer = jenkins.ask(f"{build}api/json?tree=artifacts[*]")
    if answer.status == 404:
        raise TaskFailedError(f"there is no build {printable(build)}", where=run.task, why=answer.shown)
    if PRODUCT.json(jenkins.connection, answer).get("artifacts"):
        _download(run, jenkins, build, target)
    else:
        run.say("No associated artifacts found")
    run.say(f"Successfully downloaded artifact to {target}")


def _build(run: TaskRun, jenkins: Jenkins) -> str:
    """The path of the build that the inputs mean."""
    name = run.required("jobName")
    path = job_path(name)
    answer = jenkins.ask(f"{path}api/json?tree=_class,jobs[name,lastSuccessfulBuild[number,timestamp]]")
    if answer.status == 404:
        do = "jobName is written with its folders, as folder/job"
        raise TaskFailedError(f"there is no job '{printable(name)}'", where=run.task, why=answer.shown, do=do)
    about = PRODUCT.json(jenkins.connection, answer)
    multibranch = str(about.get("_class", "")).casefold() == MULTIBRANCH.casefold()
    wanted = run.required("jenkinsBuild").strip().casefold()
    if wanted == "buildnumber":
        branch, number = _number(run, multibranch=multibranch)
    elif wanted == "lastsuccessfulbuild":
        branch, number = _last_branch(about) if multibranch else "", "lastSuccessfulBuild"
    else:
        raise TaskFailedError(
            f"jenkinsBuild is '{wanted}', but must be LastSuccessfulBuild or BuildNumber", where=run.task
        )
    if branch:
        path += f"job/{quote(branch, safe='')}/"
    if number == "lastSuccessfulBuild":
        number = _last_number(run, jenkins, path)
    shown = f", branchName:{printable(branch)}" if branch else ""
    run.say(f"Found Jenkins job details jobName:{printable(name)}, buildId:{number}{shown}")
    return f"{path}{number}/"


def _number(run: TaskRun, *, multibranch: bool) -> tuple[str, str]:
    """Branch and number; Azure Pipelines writes `branch/12` for a multibranch pipeline."""
    branch, _, number = run.required("jenkinsBuildNumber").strip().rpartition("/")
    if not number.isdecimal() or bool(branch) != multibranch:
        do = "write branch/number for a multibranch pipeline" if multibranch else "write the number of a build"
        raise TaskFailedError("Cannot parse the Jenkins Build number.", where=run.task, do=do)
    # '/' stands as %2F in a branch's name; who writes it plainly means the same
    return branch.replace("/", "%2F"), str(int(number))


def _last_branch(about: Mapping[str, Any]) -> str:
    """The branch with the latest successful build."""
    good = [one for one in about.get("jobs") or () if isinstance(one.get("lastSuccessfulBuild"), Mapping)]
    if not good:
        raise TaskFailedError("Getting last successful build number failed: no branch has one")
    latest = max(good, key=lambda one: one["lastSuccessfulBuild"].get("timestamp") or 0)
    return str(latest["name"])


def _last_number(run: TaskRun, jenkins: Jenkins, path: str) -> str:
    run.say(f"Download artifacts from last successful build of {path}")
    answer = jenkins.ask(f"{path}lastSuccessfulBuild/api/json?tree=number")
    if answer.status == 404:
        raise TaskFailedError(
            "Getting last successful build number failed: there is none",
            where=jenkins.connection.name,
            why=answer.shown,
        )
    number = PRODUCT.json(jenkins.connection, answer).get("number")
    if not isinstance(number, int):
        raise TaskFailedError("Getting last successful build number failed", where=jenkins.connection.name)
    return str(number)


def _download(run: TaskRun, jenkins: Jenkins, build: str, target: Path) -> None:
    patience = Patience(run)
    url = f"{jenkins.root}{build}artifact/*zip*/{ROOT}.zip"
    run.say(f"Downloading artifacts from: {url}")
    packed, unpacked = run.temp / "jenkins-artifacts.zip", run.temp / "jenkins-artifacts"
    try:
        with packed.open("wb") as file:

            def keep(piece: bytes) -> None:
                patience.check()
                file.write(piece)

            answer = jenkins.probe().ask(url, sink=keep)
        if not answer.ok:
            raise PRODUCT.refusal(jenkins.connection, answer)
        unpack(packed, unpacked, strip=ROOT, check=patience.check)
        _move(run, unpacked, target)
    finally:
        packed.unlink(missing_ok=True)
        shutil.rmtree(unpacked, ignore_errors=True)


def _move(run: TaskRun, unpacked: Path, target: Path) -> None:
    chosen = run.files(unpacked, run.lines("itemPattern") or ["**"])
    for path in chosen:
        place = target / path.relative_to(unpacked)
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir() and not place.is_symlink():
            raise TaskFailedError(f"{place} is a folder, but an artifact of that name is downloaded", where=run.task)
        if place.is_symlink():
            place.unlink()  # what it points to stays
        shutil.move(os.fspath(path), place)
    run.say(f"{len(chosen)} files")
