"""Files as assets of a release of GitHub."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sluice.plugin import Answer, TaskFailedError, TaskRun
from sluice_source._github_api import Repository, stop_when_canceled

_WILD = re.compile(r"[*?\[]")


def upload_assets(run: TaskRun, project: Repository, release: Mapping[str, Any], *, edit: bool) -> None:
    """Upload what the patterns match; of a release that is edited, older assets go or are replaced first."""
    mode = run.input("assetUploadMode").strip() or "delete"
    if mode not in {"delete", "replace"}:
        raise TaskFailedError(f"Invalid asset upload mode: {mode}.", where=run.task, do="it is delete or replace")
    known = {str(one.get("name")): one for one in release.get("assets") or () if isinstance(one, dict)} if edit else {}
    if edit and mode == "delete":
        run.say("Deleting all existing assets...")
        for name, asset in known.items():
            _delete(run, project, name, asset)
        known = {}
    patterns = run.lines("assets")
    if not patterns:
        run.say("No assets were found to upload.")
        return
    run.say("Uploading assets...")
    for pattern in patterns:
        run.say(f"Searching for file(s) matching '{pattern}'.")
        found = matching(run, pattern)
        if not found:
            run.say(f"No files found matching '{pattern}'. Nothing to upload.")
        for file in found:
            _upload(run, project, str(release.get("upload_url", "")), file, known, replace=edit and mode == "replace")
    run.say("All assets uploaded successfully.")


def matching(run: TaskRun, pattern: str) -> Sequence[Path]:
    """The files of a pattern, which may begin anywhere on the machine."""
    path = run.sources / pattern
    parts = path.parts
    first = next((index for index, part in enumerate(parts) if _WILD.search(part)), len(parts))
    if first == len(parts):
        return [path] if path.is_file() else []
    root = Path(*parts[:first])
    return run.files(root, ["/".join(parts[first:])]) if root.is_dir() else []


def stored_name(name: str) -> str:
    """What GitHub calls a file: anything but letters, digits and a few signs becomes a dot."""
    return re.sub(r"[^A-Za-z0-9._+@-]+", ".", name).strip(".")


def _upload(run: TaskRun, project: Repository, url: str, file: Path, known: dict[str, Any], *, replace: bool) -> None:
    name = next((one for one in (file.name, stored_name(file.name)) if one in known), "")
    if name and not replace:
        run.say(f"Duplicate asset found: {file}. Skipping...")
        return
    if name:
        run.say(f"Duplicate asset found: {file}")
        _delete(run, project, name, known.pop(name))
    run.say(f"Uploading file: '{file}'.")
    kind = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    place = f"{url.partition('{')[0]}?name={quote(file.name, safe='')}"
    answer = project.upload(place, file, kind, stop_when_canceled(run))
    if answer.status == 201:
        run.say(f"Uploaded file successfully: '{file}'")
    elif answer.status == 422 and is_duplicate(answer):
        run.say(f"Duplicate asset found: {file}. Skipping...")
    else:
        why = str(project.refusal(answer))
        raise TaskFailedError(f"An unexpected error occurred while uploading the file: {file}", where=run.task, why=why)


def is_duplicate(answer: Answer) -> bool:
    """Whether GitHub refused since there is one of that name already."""
    body = answer.json()
    errors = body.get("errors") if isinstance(body, dict) else None
    return isinstance(errors, list) and any(
        isinstance(one, dict) and one.get("code") == "already_exists" for one in errors
    )


def _delete(run: TaskRun, project: Repository, name: str, asset: Mapping[str, Any]) -> None:
    run.say(f"Deleting asset: {name}")
    project.json(f"releases/assets/{int(asset['id'])}", method="DELETE")
