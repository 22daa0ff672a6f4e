"""The list of changes of a release: commits, or issues in groups, since an earlier release."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from sluice.plugin import TaskFailedError, TaskRun
from sluice_source._github_api import Repository, segment
from sluice_source._words import printable

MOST = 250
"""So many commits or issues are looked at, the latest ones."""
VISIBLE = 10
"""So many lines are shown; the others open on request."""
OTHERS = "Others"
_ISSUE = re.compile(
    r"(?:^|(?<=[^A-Za-z0-9_/]))([A-Za-z0-9_-]{1,39}/[\w.-]{1,100})?(?:#|GH-)([0-9]{1,9})(?![A-Za-z0-9_])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Issue:
    """An issue or a pull request that a commit names."""

    number: int
    title: str
    state: str
    labels: Sequence[str]
    pull_request: bool


def changes(run: TaskRun, project: Repository, end: str) -> str:
    """The text to append to the notes of a release of the commit `end`; empty when there is nothing to tell."""
    run.say("Computing changes made in this release...")
    start = _start(run, project, end)
    compared = project.json(f"compare/{segment(start)}...{segment(end)}")
    if compared.get("status") == "behind":
        run.warn(
            "Cannot compute the changes as the provided target commit is older than the commit of the last published "
            "release."
        )
        return ""
    commits = [one for one in reversed(compared.get("commits") or ()) if isinstance(one, dict)][:MOST]
    if not commits:
        run.say(
            "No changes were found. The provided target commit is the same as the commit of the last published release."
        )
        return ""
    messages = {str(one.get("sha")): str((one.get("commit") or {}).get("message", "")) for one in commits}
    kind = run.input("changeLogType").strip().casefold()
    if kind == "commitbased":
        lines = [commit_line(sha, message, project.name) for sha, message in messages.items()]
    elif kind == "issuebased":
        lines = _issue_lines(run, project, messages.values())
    else:
        raise TaskFailedError(f"changeLogType is '{kind}', but must be commitBased or issueBased", where=run.task)
    return whole(lines, _origin(run))


def _start(run: TaskRun, project: Repository, end: str) -> str:
    """The commit of the release to compare with; without one the first, or the oldest that is looked at."""
    kind = run.input("changeLogCompareToRelease").strip().casefold()
    tag = ""
    if kind == "lastfullrelease":
        answer = project.ask("releases/latest")
        tag = "" if answer.status == 404 else str(project.checked(answer).get("tag_name", ""))
    elif kind == "lastnondraftrelease":
        tag = _last_tag(project, lambda _: True)
    elif kind == "lastnondraftreleasebytag":
        matches = tag_matcher(run, "changeLogCompareToReleaseTag", run.required("changeLogCompareToReleaseTag"))
        tag = _last_tag(project, matches)
    else:
        do = "it is lastFullRelease, lastNonDraftRelease or lastNonDraftReleaseByTag"
        raise TaskFailedError(f"Invalid compareWith attribute: {printable(kind)}.", where=run.task, do=do)
    if tag:
        run.say(f"Found the release to compare with: {printable(tag)}")
        for one in project.pages("tags?per_page=100"):
            if one.get("name") == tag:
                return str((one.get("commit") or {}).get("sha", ""))
    run.say("No release to compare with was found. Fetching the initial commit...")
    latest = list(islice(project.pages(f"commits?sha={segment(end)}&per_page=100"), MOST))
    return str(latest[-1].get("sha")) if latest else end


def _last_tag(project: Repository, matches: Callable[[str], bool]) -> str:
    found = (one for one in project.pages("releases?per_page=100") if not one.get("draft"))
    return next((tag for one in found if (tag := str(one.get("tag_name", ""))) and matches(tag)), "")


def tag_matcher(run: TaskRun, name: str, pattern: str) -> Callable[[str], bool]:
    """Whether a tag matches the regular expression of an input, as a whole."""
    try:
        wanted = re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        raise TaskFailedError(f"{name} is no regular expression", where=run.task, why=str(error)) from None
    return lambda tag: wanted.fullmatch(tag) is not None


def named_issues(message: str, repository: str) -> list[tuple[str, int]]:
    """Repository and number of every issue that a message names, each once."""
    found = [(repo or repository, int(number)) for repo, number in _ISSUE.findall(message)]
    return list(dict.fromkeys(found))


def commit_line(sha: str, message: str, repository: str) -> str:
    """A commit with its first line, and the issues that only the rest of the message names."""
    title = next(iter(message.strip().splitlines()), "")
    names = [f"{'' if repo == repository else repo}#{number}" for repo, number in named_issues(message, repository)]
    more = [name for name in names if name not in title]
    return f"* {sha} {title}" + (f" [ {', '.join(more)} ]" if more else "")


def _issue_lines(run: TaskRun, project: Repository, messages: Iterable[str]) -> list[str]:
    named = dict.fromkeys(
        number for text in messages for repo, number in named_issues(text, project.name) if repo == project.name
    )
    numbers = list(named)[:MOST]
    if not numbers:
        run.say("No issues are linked to commits in the specified commit Diff.")
        return []
    issues = _issues(run, project, numbers)
    labels = _labels(run)
    if not labels:
        return [f"* #{one.number}: {one.title}" for one in issues]
    return grouped(issues, labels)


def _labels(run: TaskRun) -> Sequence[Mapping[str, str]]:
    try:
        found = json.loads(run.input("changeLogLabels") or "[]")
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list):
        run.warn("Error occurred while parsing the labels.")
        return []
    return [one for one in found if isinstance(one, dict) and one.get("displayName")]


def grouped(issues: Sequence[Issue], labels: Sequence[Mapping[str, str]]) -> list[str]:
    """The issues under the display names of their labels; the first label in the list wins."""
    groups: dict[str, list[str]] = {name: [] for name in (*(str(one["displayName"]) for one in labels), OTHERS)}
    for issue in issues:
        state = issue.state.casefold()
        if issue.pull_request and state == "closed":
            continue  # closed without being merged: no change
        state = "closed" if state == "merged" else state
        names = {name.casefold() for name in issue.labels}
        group = next((str(one["displayName"]) for one in labels if _fits(one, names, state)), OTHERS)
        groups[group].append(f"* #{issue.number}: {issue.title}")
    filled = {name: lines for name, lines in groups.items() if lines}
    if list(filled) == [OTHERS]:
        return filled[OTHERS]
    return [line for name, lines in filled.items() for line in (f"\n### {name}:\n", *lines)]


def _fits(label: Mapping[str, str], names: set[str], state: str) -> bool:
    wanted = str(label.get("state") or "").casefold()
    return str(label.get("label", "")).casefold() in names and wanted in {"", state}


def _issues(run: TaskRun, project: Repository, numbers: Sequence[int]) -> list[Issue]:
    owner, _, name = project.name.partition("/")
    shown = "title state labels(last: 10) { nodes { name } }"
    parts = " ".join(
        f"_{number}: issueOrPullRequest(number: {number}) {{ __typename ... on Issue {{ {shown} }} "
        f"... on PullRequest {{ {shown} }} }}"
        for number in numbers
    )
    query = f"query {{ repository(owner: {json.dumps(owner)}, name: {json.dumps(name)}) {{ {parts} }} }}"
    body = project.checked(project.query(query))
    errors = body.get("errors") or ()
    if any(not isinstance(one, dict) or one.get("type") != "NOT_FOUND" for one in errors):
        run.warn("Error fetching issues. Cannot generate change log.")
        return []
    known = (body.get("data") or {}).get("repository") or {}
    return [_issue(number, known[f"_{number}"]) for number in numbers if known.get(f"_{number}")]


def _issue(number: int, found: Mapping[str, Any]) -> Issue:
    nodes = (found.get("labels") or {}).get("nodes") or ()
    return Issue(
        number=number,
        title=str(found.get("title", "")),
        state=str(found.get("state", "")),
        labels=[str(one.get("name")) for one in nodes if isinstance(one, dict)],
        pull_request=found.get("__typename") == "PullRequest",
    )


def whole(lines: Sequence[str], origin: str) -> str:
    """The section with its title; what is beyond the visible part folds up."""
    if not lines:
        return ""
    made = (
        f"This list of changes was [auto generated]({origin})."
        if origin
        else "This list of changes was auto generated."
    )
    shown = "\n".join(lines[:VISIBLE])
    if len(lines) <= VISIBLE:
        return f"\n\n## Changes:\n\n{shown}\n\n{made}"
    more = "\n".join(lines[VISIBLE:])
    return (
        f"\n\n## Changes:\n\n{shown}\n\n<details><summary><b>See More</b></summary>\n\n{more}\n\n{made}\n\n</details>"
    )


def _origin(run: TaskRun) -> str:
    collection, project = run.variable("System.TeamFoundationCollectionUri"), run.variable("System.TeamProject")
    build = run.variable("Build.BuildId")
    known = not (urlsplit(collection).hostname or "").endswith(".invalid")  # else there is no server to look at
    if not (known and collection and project and build):
        return ""
    return f"{collection.rstrip('/')}/{project}/_build/results?buildId={build}&view=logs".replace(" ", "%20")
