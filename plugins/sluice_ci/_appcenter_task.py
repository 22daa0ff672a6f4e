"""`AppCenterDistribute@3`: upload an app to App Center, hand it to groups or a store, and upload its symbols."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sluice.plugin import Secret, TaskFailedError, TaskRun
from sluice_ci._appcenter import AppCenter
from sluice_ci._appcenter_symbols import upload_symbols
from sluice_ci._appcenter_upload import Upload, upload_file
from sluice_ci._service import Pace, Patience
from sluice_ci._words import printable

EVERYONE = "00000000-0000-0000-0000-000000000000"
"""The group that every tester of an app is in; who names no group means it."""
_SLUG = re.compile(r"[^/\s]+/[^/\s]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """Whom the release is for."""

    stores: bool
    ids: Sequence[str]
    mandatory: bool
    silent: bool


def distribute(run: TaskRun) -> None:
    """Upload, describe and hand out the release; raises `TaskFailedError` at what does not work."""
    center = AppCenter(run.connection("serverEndpoint"))
    slug = run.required("appSlug").strip()
    if not _SLUG.fullmatch(slug):
        raise TaskFailedError("appSlug is written as owner/app", where=run.task)
    root = f"apps/{'/'.join(quote(part, safe='') for part in slug.split('/'))}"
    app, notes, destination = single_file(run, "app"), _notes(run), _distribution(run)
    patience = Patience(run)
    release = _upload(run, center, root, app, patience)
    center.json(f"{root}/releases/{release}", method="PUT", body=_description(run, notes))
    for id_ in destination.ids:
        patience.check()
        _hand_out(run, center, f"{root}/releases/{release}", id_, destination)
    upload_symbols(run, center, root, release, patience)
    run.say("App Center Distribute task succeeded")


def single_file(run: TaskRun, name: str) -> Path:
    """The one file that the input names or matches."""
    text = run.required(name).strip()
    path = run.path(name)
    if path.is_file():
        return path
    found = run.files(run.sources, [text.replace(f"{run.sources}/", "")])
    if not found:
        raise TaskFailedError(f"Cannot find any file based on {text}.", where=run.task)
    if len(found) > 1:
        raise TaskFailedError(f"Found multiple files matching {text}.", where=run.task)
    return found[0]


def _notes(run: TaskRun) -> str:
    if run.input("releaseNotesSelection").strip().casefold() != "file":
        return run.required("releaseNotesInput")
    run.required("releaseNotesFile")
    path = run.path("releaseNotesFile")
    if not path.is_file():
        raise TaskFailedError(f"Not found releaseNotesFile: {path}", where=run.task)
    return path.read_text(encoding="utf-8", errors="replace")


def _distribution(run: TaskRun) -> Distribution:
    kind = (run.input("destinationType").strip() or "groups").casefold()
    if kind not in {"groups", "store"}:
        raise TaskFailedError(f"destinationType is '{kind}', but must be groups or store", where=run.task)
    stores = kind == "store"
    text = run.required("destinationStoreId") if stores else run.input("destinationGroupIds") or EVERYONE
    ids = [one for one in re.split(r"[,;\s]+", text) if one]
    if not ids:
        raise TaskFailedError("The destination input provided was invalid", where=run.task)
    if stores and len(ids) > 1:
        raise TaskFailedError("Cannot distribute to multiple stores", where=run.task)
    silent = run.flag("isSilent") and not stores
    return Distribution(stores=stores, ids=ids, mandatory=run.flag("isMandatory"), silent=silent)


def _upload(run: TaskRun, center: AppCenter, root: str, app: Path, patience: Patience) -> int:
    """The id of the release that App Center makes of the file."""
    version = run.input("buildVersion").strip()
    body = {"build_version": version} if version else {}
    started = center.json(f"{root}/uploads/releases", method="POST", body=body)
    upload = _upload_of(started)
    run.say(f"Uploading {app.name}")
    upload_file(run, center.connection, upload, app, patience)
    path = f"{root}/uploads/releases/{quote(str(started['id']), safe='')}"
    done = center.json(path, method="PATCH", body={"upload_status": "uploadFinished"})
    if done.get("upload_status") != "uploadFinished":
        raise TaskFailedError("Failed to complete file upload.", why=printable(done.get("message") or ""))
    for seconds in Pace(0.25, 2):
        state = center.json(path)
        id_ = state.get("release_distinct_id")
        if state.get("upload_status") == "readyToBePublished" and isinstance(id_, int):
            run.say(f"Release {id_} is made")
            return id_
        if state.get("upload_status") in {"error", "malwareDetected"}:
            why = printable(state.get("error_details") or state["upload_status"], most=500)
            raise TaskFailedError("Loading release id failed", where=run.task, why=why)
        patience.wait(seconds)
    raise AssertionError("the pace has no end")


def _upload_of(started: Mapping[str, Any]) -> Upload:
    names = ("id", "package_asset_id", "upload_domain", "url_encoded_token")
    if not all(isinstance(started.get(name), str) and started[name] for name in names):
        raise TaskFailedError("App Center started no upload", why=printable(started.get("message") or ""))
    return Upload(
        domain=started["upload_domain"],
        asset=started["package_asset_id"],
        token=Secret(started["url_encoded_token"]),
    )


def _description(run: TaskRun, notes: str) -> Mapping[str, Any]:
    branch, commit = run.variable("Build.SourceBranch"), run.variable("Build.SourceVersion")
    if not (branch and commit):
        return {"release_notes": notes}
    build = {
        "id": run.variable("Build.BuildId"),
        "branch": branch.removeprefix("refs/heads/"),
        "commit_hash": commit,
    }
    return {"release_notes": notes, "build": build}


def _hand_out(run: TaskRun, center: AppCenter, release: str, id_: str, destination: Distribution) -> None:
    body: dict[str, Any] = {"id": id_}
    if not destination.stores:
        body["mandatory_update"] = destination.mandatory
        if destination.silent:
            body["notify_testers"] = False
    kind = "stores" if destination.stores else "groups"
    answer = center.ask(f"{release}/{kind}", method="POST", body=body)
    if answer.status == 404:
        raise TaskFailedError(f"the app has no destination {printable(id_)}", where=run.task, why=answer.shown)
    center.checked(answer)
    run.say(f"Distributed to {kind.removesuffix('s')} {printable(id_)}")
