"""`DownloadGitHubRelease@0`: the assets of a release of GitHub."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sluice.plugin import TaskFailedError, TaskRun
from sluice_source._github_api import Repository, repository, segment, stop_when_canceled
from sluice_source._words import printable


def download_release(run: TaskRun) -> None:
    """Download the assets that the pattern selects into the folder `downloadPath`."""
    project = repository(run, "connection", "userRepository")
    run.required("downloadPath")
    target = run.path("downloadPath")
    release = _release(run, project)
    name = printable(release.get("name") or release.get("tag_name"))
    path = f"releases/{int(release['id'])}/assets"
    run.say(f"Downloading assets of release '{name}' from: {project.root}{path}")
    assets = {_file_name(one): one for one in project.pages(f"{path}?per_page=100") if isinstance(one.get("id"), int)}
    for file in _chosen(run, list(assets)):
        _download(run, project, assets[file]["id"], target / file)
    run.say(f"Successfully downloaded release assets to '{target}'")


def _release(run: TaskRun, project: Repository) -> Mapping[str, Any]:
    kind = (run.input("defaultVersionType").strip() or "latest").casefold()
    version = run.input("version").strip()
    if kind == "specificversion":
        path = f"releases/{version}"
    elif kind == "specifictag" or version:
        path = f"releases/tags/{segment(version)}"
    elif kind == "latest":
        path = "releases/latest"
    else:
        raise TaskFailedError(
            f"defaultVersionType is '{kind}', but must be latest, specificVersion or specificTag", where=run.task
        )
    wrong = f"The release version/tag input '{printable(version)}' is not valid"
    if kind != "latest" and (not version or (kind == "specificversion" and not version.isdecimal())):
        do = "specificVersion takes the number of a release; specificTag takes a tag"
        raise TaskFailedError(wrong, where=run.task, do=do)
    answer = project.ask(path)
    if answer.status == 404:
        raise TaskFailedError(
            wrong if version else "there is no release", where=run.task, why=str(project.refusal(answer))
        )
    found = project.checked(answer)
    if not isinstance(found, dict) or not isinstance(found.get("id"), int):
        raise TaskFailedError(wrong, where=run.task)
    return found


def _file_name(asset: Mapping[str, Any]) -> str:
    name = str(asset.get("name", ""))
    if not name or name in {".", ".."} or any(one in name for one in "/\\\0"):
        raise TaskFailedError("the name of an asset is no file name", why=repr(printable(name)))
    return name


def _chosen(run: TaskRun, names: Sequence[str]) -> Sequence[str]:
    """Which names the patterns select, by the rules that hold for files everywhere else."""
    with tempfile.TemporaryDirectory(dir=run.temp, prefix="release-") as folder:
        for name in names:
            (Path(folder) / name).touch()
        return [path.name for path in run.files(Path(folder), run.lines("itemPattern") or ["**"])]


def _download(run: TaskRun, project: Repository, asset: int, place: Path) -> None:
    check = stop_when_canceled(run)
    place.parent.mkdir(parents=True, exist_ok=True)
    partial = place.with_name(f".download-{secrets.token_hex(8)}")
    try:
        with partial.open("xb") as file:

            def keep(piece: bytes) -> None:
                check()
                file.write(piece)

            answer = project.download(asset, keep)
        if not answer.ok:
            raise project.refusal(answer)
        partial.replace(place)  # whole, or not at all
    finally:
        partial.unlink(missing_ok=True)
    run.say(f"Downloaded {printable(place.name)}")
