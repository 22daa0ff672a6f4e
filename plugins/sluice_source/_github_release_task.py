"""`GitHubRelease@1`: create, edit or delete a release of GitHub."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from sluice.plugin import SluiceError, TaskFailedError, TaskRun
from sluice_source._github_api import Repository, repository, segment
from sluice_source._github_assets import is_duplicate, upload_assets
from sluice_source._github_changes import changes, tag_matcher
from sluice_source._words import printable

TAGS = "refs/tags/"


def release(run: TaskRun) -> None:
    """Carry out the `action` of the step."""
    project = repository(run, "gitHubConnection", "repositoryName")
    action = run.required("action").strip().casefold()
    tag = run.input("tag").strip()
    if action not in {"create", "edit", "delete"}:
        do = "it is create, edit or delete"
        raise TaskFailedError(f"Invalid action: {printable(action)}.", where=run.task, do=do)
    if action != "create" and not tag:
        raise TaskFailedError(f"For '{action}' action, a tag is required.", where=run.task, do="set tag")
    if action == "delete":
        _delete_by_tag(run, project, tag)
    elif action == "edit":
        _edit(run, project, tag)
    elif tag := _tag(run, project, tag):
        _create(run, project, tag, _description(run, project, tag))
    else:
        run.warn(
            "Release will not be created as the tags for the target commit do not match with the given tag pattern"
        )


def _tag(run: TaskRun, project: Repository, tag: str) -> str:
    """The tag to create a release for: the one that is written, or the one of the target's commit."""
    source = run.input("tagSource").strip().casefold()
    if source == "userspecifiedtag":
        if not tag:
            what = "Tag source is set to userSpecifiedTag- please specify a tag for create action."
            raise TaskFailedError(what, where=run.task)
        return tag
    if source != "gittag":
        do = "it is gitTag or userSpecifiedTag"
        raise TaskFailedError(f"Invalid tag source: {printable(source)}.", where=run.task, do=do)
    target = run.required("target").strip()
    run.say(f"Searching for tags associated with target commit: {target}")
    pattern = run.input("tagPattern")
    matches = tag_matcher(run, "tagPattern", pattern) if pattern else lambda _: True
    commit, branch = _commit(project, target), run.variable("Build.SourceBranch")
    if branch.startswith(TAGS) and commit == run.variable("Build.SourceVersion"):
        found = [branch.removeprefix(TAGS)]
    else:
        tags = project.pages("tags?per_page=100")
        found = [str(one.get("name")) for one in tags if (one.get("commit") or {}).get("sha") == commit]
    fitting = [one for one in found if matches(one)]
    if len(fitting) > 1:
        what = f"Only 1 tag was expected but more than 1 tag was found for the given commit: {commit}."
        raise TaskFailedError(what, where=run.task, why=", ".join(fitting[:10]), do="narrow them down with tagPattern")
    if fitting:
        run.say(f"Found a tag for target commit: {target}")
    return fitting[0] if fitting else ""


def _commit(project: Repository, target: str) -> str:
    """The commit of a branch; anything else is one already."""
    answer = project.ask(f"branches/{segment(target)}")
    if answer.status == 404:
        return target
    return str((project.checked(answer).get("commit") or {}).get("sha") or target)


def _description(run: TaskRun, project: Repository, tag: str) -> Mapping[str, Any]:
    target = run.required("target").strip()
    latest = (run.input("makeLatest").strip() or "true").casefold()
    if latest not in {"true", "false", "legacy"}:
        raise TaskFailedError(f"makeLatest is '{latest}', but must be true, false or legacy", where=run.task)
    notes = _notes(run)
    if run.flag("addChangeLog"):
        notes += changes(run, project, _commit(project, target))
    body = {
        "tag_name": tag,
        "target_commitish": target,
        "name": run.input("title").strip() or None,
        "body": notes or None,
        "draft": run.flag("isDraft"),
        "prerelease": run.flag("isPreRelease"),
        "make_latest": latest,
    }
    return {name: value for name, value in body.items() if value is not None}


def _notes(run: TaskRun) -> str:
    source = run.input("releaseNotesSource").strip().casefold()
    if source == "inline":
        return run.input("releaseNotesInline")
    if source != "filepath":
        do = "it is filePath or inline"
        raise TaskFailedError(f"Invalid release notes source: {printable(source)}.", where=run.task, do=do)
    path = run.path("releaseNotesFilePath")
    if not run.input("releaseNotesFilePath").strip() or path == run.sources:
        return ""
    if path.is_dir():
        raise TaskFailedError(f"Release notes file: {path} is a directory and not a file.", where=run.task)
    if not path.is_file():
        raise TaskFailedError(f"Not found releaseNotesFilePath: {path}", where=run.task)
    return path.read_text(encoding="utf-8", errors="replace")


def _create(run: TaskRun, project: Repository, tag: str, description: Mapping[str, Any]) -> None:
    run.say(f"Creating a release for tag: {tag}")
    answer = project.ask("releases", method="POST", body=description)
    if answer.status == 422 and is_duplicate(answer):
        what = f"Failed to create the release. A release already exists for tag: {tag}"
        raise TaskFailedError(what, where=run.task, do="action: edit changes it")
    if answer.status == 422:
        what = "An unexpected error occurred while creating the release."
        raise TaskFailedError(what, where=run.task, why=str(project.refusal(answer)))
    made = project.checked(answer)
    try:
        upload_assets(run, project, made, edit=False)
    except SluiceError:
        # A release without its files is none: it goes, so that the step can be run again.
        with contextlib.suppress(SluiceError):
            _delete(run, project, made, tag)
        raise
    run.say(f"Release created successfully at {printable(made.get('html_url'), most=300)}")


def _edit(run: TaskRun, project: Repository, tag: str) -> None:
    description = _description(run, project, tag)
    found = _by_tag(run, project, tag)
    if found is None:
        run.warn(f"No existing release was found to edit. Creating one with the tag: {tag}")
        _create(run, project, tag, description)
        return
    run.say(f"Editing the release with tag: {tag}")
    edited = project.json(f"releases/{int(found['id'])}", method="PATCH", body=description)
    upload_assets(run, project, edited, edit=True)
    run.say(f"Release edited successfully: {printable(edited.get('html_url'), most=300)}")


def _delete_by_tag(run: TaskRun, project: Repository, tag: str) -> None:
    found = _by_tag(run, project, tag)
    if found is None:
        what = f"No release was found for tag: {tag}. Deleting the release failed."
        raise TaskFailedError(what, where=run.task)
    _delete(run, project, found, tag)


def _delete(run: TaskRun, project: Repository, found: Mapping[str, Any], tag: str) -> None:
    run.say(f"Deleting the release for tag: {tag}")
    project.json(f"releases/{int(found['id'])}", method="DELETE")
    run.say("Release deleted successfully.")


def _by_tag(run: TaskRun, project: Repository, tag: str) -> Mapping[str, Any] | None:
    """The release of the tag, drafts included, which GitHub does not look up by tag."""
    run.say(f"Fetching the release for tag: {tag}")
    found = [one for one in project.pages("releases?per_page=100") if one.get("tag_name") == tag]
    if len(found) > 1:
        what = f"Only 1 release was expected but more than 1 release was found for tag: {tag}."
        raise TaskFailedError(what, where=run.task, do="delete all but one of them on GitHub")
    return found[0] if found else None
