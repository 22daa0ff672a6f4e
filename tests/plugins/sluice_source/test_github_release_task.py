from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.conftest import Giver
from tests.doubles.github_releases import TOKEN, Releases, issue
from tests.doubles.web import Double

from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task

PLAIN = {"addChangeLog": "false", "assets": "", "target": "c3"}


@pytest.fixture
def hub(serve: Callable[[Double], None]) -> Releases:
    double = Releases()
    double.commits = [("c1", "First"), ("c2", "Fix the till (#7)\n\nalso other/app#9 and GH-8"), ("c3", "Last\n\n#7")]
    double.branches = {"main": "c3", "feature/x": "c2"}
    double.tags = {"v0": "c1", "v1": "c2", "v2": "c3"}
    serve(double)
    return double


def release(
    hub: Releases,
    sources: Path,
    *,
    variables: dict[str, str] | None = None,
    cancellation: Cancellation | None = None,
    tell: Callable[[str], None] | None = None,
    **inputs: str,
) -> TaskOutcome:
    connection = make_connection("github", "hub", url=hub.url, scheme="Token", values={"AccessToken": TOKEN})
    return run_task(
        "GitHubRelease@1",
        inputs={"repositoryName": "octo/app"} | PLAIN | inputs,
        connections={"gitHubConnection": connection},
        sources=sources,
        variables=variables or {},
        cancellation=cancellation,
        tell=tell,
    )


def assets(hub: Releases, tag: str) -> dict[str, bytes]:
    made = next(one for one in hub.releases.values() if one["tag_name"] == tag)
    return {one["name"]: hub.assets[one["id"]] for one in made["assets"]}


def test_a_release_is_created_for_the_tag_of_the_commit_with_its_files(
    hub: Releases, tmp_path: Path, evidence: Giver
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a b.zip").write_bytes(b"zip" * 100_000)
    (tmp_path / "out" / "empty.txt").touch()
    (tmp_path / "out" / "folder").mkdir()
    outcome = release(
        hub,
        tmp_path,
        target="main",
        assets=f"{tmp_path}/out/*\nout/none*.x",
        title="Two",
        releaseNotesSource="inline",
        releaseNotesInline="Notes.",
        isPreRelease="true",
        makeLatest="false",
    )
    assert outcome.result is Result.SUCCEEDED, outcome.message
    made = hub.releases[101]
    assert (made["tag_name"], made["target_commitish"], made["name"], made["body"]) == ("v2", "main", "Two", "Notes.")
    assert (made["draft"], made["prerelease"], made["make_latest"]) == (False, True, "false")
    assert assets(hub, "v2") == {"a.b.zip": b"zip" * 100_000, "empty.txt": b""}
    assert "No files found matching 'out/none*.x'. Nothing to upload." in outcome.lines
    assert f"Release created successfully at {hub.url}/octo/app/releases/v2" in outcome.lines
    assert TOKEN not in outcome.log
    evidence("github", "Token", "used", "GitHub (double)", task="GitHubRelease@1")


def test_the_tag_that_is_built_is_taken_where_it_is_the_target(hub: Releases, tmp_path: Path) -> None:
    built = {"Build.SourceBranch": "refs/tags/v2-rc", "Build.SourceVersion": "c3"}
    assert release(hub, tmp_path, variables=built).result is Result.SUCCEEDED
    assert hub.releases[101]["tag_name"] == "v2-rc"


def test_tags_are_narrowed_down_by_a_pattern_and_none_is_no_failure(hub: Releases, tmp_path: Path) -> None:
    hub.tags |= {"nightly": "c3", "w": "c3"}
    several = release(hub, tmp_path)
    assert "more than 1 tag was found for the given commit: c3.: v2, nightly, w" in several.message
    assert release(hub, tmp_path, tagPattern="v[0-9]").result is Result.SUCCEEDED
    assert hub.releases[101]["tag_name"] == "v2"
    none = release(hub, tmp_path, tagPattern="v")
    assert none.result is Result.SUCCEEDED
    assert "Release will not be created as the tags" in none.messages("warning")[0]
    assert "tagPattern is no regular expression" in release(hub, tmp_path, tagPattern="(").message


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"repositoryName": "octo"}, "repositoryName is written as owner/repository: it is 'octo'"),
        ({"repositoryName": "../app"}, "repositoryName is written as owner/repository"),
        ({"action": "make"}, "Invalid action: make."),
        ({"action": "edit"}, "For 'edit' action, a tag is required."),
        ({"tagSource": "userSpecifiedTag"}, "please specify a tag for create action"),
        ({"tagSource": "auto"}, "Invalid tag source: auto."),
        ({"makeLatest": "maybe"}, "makeLatest is 'maybe'"),
        ({"releaseNotesSource": "file"}, "Invalid release notes source: file."),
        ({"releaseNotesFilePath": "missing.md"}, "Not found releaseNotesFilePath"),
        (
            {"tagSource": "userSpecifiedTag", "tag": ".."},
            "while creating the release.: hub: GitHub answered with an error",
        ),
    ],
)
def test_what_makes_no_sense_is_told_and_makes_nothing(
    hub: Releases, tmp_path: Path, inputs: dict[str, str], message: str
) -> None:
    outcome = release(hub, tmp_path, variables=None, cancellation=None, tell=None, **inputs)
    assert outcome.result is Result.FAILED
    assert message in outcome.message
    assert hub.releases == {}


def test_a_release_that_is_there_already_is_told(hub: Releases, tmp_path: Path) -> None:
    hub.add("v2")
    assert "A release already exists for tag: v2" in release(hub, tmp_path).message
    assert len(hub.releases) == 1


def test_a_release_whose_files_did_not_go_up_goes_again(hub: Releases, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    hub.refuse_uploads = True
    outcome = release(hub, tmp_path, assets="a.txt")
    assert "while uploading the file" in outcome.message
    assert "502 Bad Gateway" in outcome.message
    assert hub.releases == {}


def test_a_cancellation_while_a_file_goes_up_removes_the_release(hub: Releases, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a" * 1_000_000)
    cancellation = Cancellation()

    def tell(line: str) -> None:
        if line.startswith("Uploading file"):
            cancellation.cancel()

    outcome = release(hub, tmp_path, assets="a.txt", cancellation=cancellation, tell=tell)
    assert outcome.result is Result.CANCELED
    assert hub.releases == {}


def test_files_and_the_token_go_to_github_alone(hub: Releases, tmp_path: Path) -> None:
    other = "http://127.0.0.2:9"
    (tmp_path / "a.txt").write_text("a")
    hub.elsewhere = other
    outcome = release(hub, tmp_path, assets="a.txt", tagSource="userSpecifiedTag", tag="v5")
    assert "files would go to http://127.0.0.2:9, which is not GitHub's" in outcome.message
    assert "names a next page at another address" in release(hub, tmp_path).message


@pytest.mark.parametrize(
    ("mode", "kept"), [("delete", {"a.txt": b"new"}), ("replace", {"a.txt": b"new", "b.txt": b"old"})]
)
def test_an_edit_deletes_or_replaces_files(hub: Releases, tmp_path: Path, mode: str, kept: dict[str, bytes]) -> None:
    for tag in ("v0", "v1", "v2"):
        made = hub.add(tag, draft=tag == "v0")
        for name in ("a.txt", "b.txt"):
            hub.attach(made, name, b"old")
    (tmp_path / "a.txt").write_bytes(b"new")
    (tmp_path / "notes.md").write_text("From a file.")
    outcome = release(
        hub, tmp_path, action="edit", tag="v0", assets="*.txt", assetUploadMode=mode, releaseNotesFilePath="notes.md"
    )
    assert outcome.result is Result.SUCCEEDED, outcome.message
    assert hub.releases[101]["body"] == "From a file."
    assert assets(hub, "v0") == kept
    assert assets(hub, "v1") == {"a.txt": b"old", "b.txt": b"old"}


def test_an_edit_of_nothing_creates(hub: Releases, tmp_path: Path) -> None:
    outcome = release(hub, tmp_path, action="edit", tag="v9")
    assert outcome.messages("warning") == ["No existing release was found to edit. Creating one with the tag: v9"]
    assert hub.releases[101]["tag_name"] == "v9"


def test_a_release_is_deleted_by_its_tag_and_only_if_that_names_one(hub: Releases, tmp_path: Path) -> None:
    for tag in ("v0", "v1", "v1"):
        hub.add(tag, draft=True)
    assert "more than 1 release was found for tag: v1." in release(hub, tmp_path, action="delete", tag="v1").message
    assert "No release was found for tag: v7." in release(hub, tmp_path, action="delete", tag="v7").message
    assert release(hub, tmp_path, action="delete", tag="v0").result is Result.SUCCEEDED
    assert [one["tag_name"] for one in hub.releases.values()] == ["v1", "v1"]


def test_wrong_credentials_and_a_missing_permission_are_told_apart(hub: Releases, tmp_path: Path) -> None:
    hub.forbidden = True
    outcome = release(hub, tmp_path)
    assert "the token lacks a scope or permission: 403 Forbidden: Resource not accessible" in outcome.message
    connection = make_connection("github", "hub", url=hub.url, scheme="Token", values={"AccessToken": "ghp_wrong_0666"})
    outcome = run_task(
        "GitHubRelease@1",
        inputs={"repositoryName": "octo/app"} | PLAIN,
        connections={"gitHubConnection": connection},
        sources=tmp_path,
    )
    assert "GitHub does not accept the credentials" in outcome.message
    assert "ghp_wrong_0666" not in outcome.log


BUILD = {
    "System.TeamFoundationCollectionUri": "https://dev.example.com/",
    "System.TeamProject": "my shop",
    "Build.BuildId": "9",
}


@pytest.mark.parametrize(
    ("compare", "first"),
    [
        ({"changeLogCompareToRelease": "lastFullRelease"}, "c2"),
        ({"changeLogCompareToRelease": "lastNonDraftRelease"}, "c3"),
        ({"changeLogCompareToRelease": "lastNonDraftReleaseByTag", "changeLogCompareToReleaseTag": "v[1-9]"}, "c3"),
        ({"changeLogCompareToRelease": "lastNonDraftReleaseByTag", "changeLogCompareToReleaseTag": "w.*"}, "c2"),
    ],
)
def test_changes_are_the_commits_since_a_release(
    hub: Releases, tmp_path: Path, compare: dict[str, str], first: str
) -> None:
    hub.add("v0")
    hub.add("v1", prerelease=True)
    hub.add("v2-draft", draft=True)
    inputs = PLAIN | {"addChangeLog": "true"} | compare
    outcome = release(hub, tmp_path, variables=BUILD, cancellation=None, tell=None, **inputs)
    assert outcome.result is Result.SUCCEEDED, outcome.message
    lines = ["* c3 Last [ #7 ]", "* c2 Fix the till (#7) [ other/app#9, #8 ]"]
    made = "This list of changes was [auto generated](https://dev.example.com/my%20shop/_build/results?buildId=9&view=logs)."
    shown = "\n".join(lines[: 1 if first == "c3" else 2])
    assert (
        next(one for one in hub.releases.values() if one["tag_name"] == "v2")["body"]
        == f"\n\n## Changes:\n\n{shown}\n\n{made}"
    )


def test_changes_of_a_run_without_a_server_name_no_address(hub: Releases, tmp_path: Path) -> None:
    hub.add("v1")
    nowhere = BUILD | {"System.TeamFoundationCollectionUri": "https://sluice.invalid/local/"}
    inputs = PLAIN | {"addChangeLog": "true"}
    outcome = release(hub, tmp_path, variables=nowhere, cancellation=None, tell=None, **inputs)
    assert outcome.result is Result.SUCCEEDED, outcome.message
    body = next(one for one in hub.releases.values() if one["tag_name"] == "v2")["body"]
    assert "Changes:" in body
    assert "invalid" not in body


def test_many_changes_fold_up(hub: Releases, tmp_path: Path) -> None:
    hub.commits += [(f"d{number}", f"Change {number}") for number in range(12)]
    hub.add("v2")
    assert (
        release(hub, tmp_path, addChangeLog="true", target="d11", tagSource="userSpecifiedTag", tag="v3").result
        is Result.SUCCEEDED
    )
    shown, folded = hub.releases[102]["body"].split("<details><summary><b>See More</b></summary>")
    assert (shown.count("* d"), folded.count("* d")) == (10, 2)


def test_a_target_before_the_release_and_one_without_changes_have_none(hub: Releases, tmp_path: Path) -> None:
    hub.add("v1")
    given = {"addChangeLog": "true", "tagSource": "userSpecifiedTag", "isDraft": "true"}
    early = release(hub, tmp_path, variables=None, cancellation=None, tell=None, **given, target="c1", tag="early")
    assert "the provided target commit is older than" in early.messages("warning")[0]
    same = release(hub, tmp_path, variables=None, cancellation=None, tell=None, **given, target="c2", tag="same")
    assert "No changes were found." in same.log
    assert [one["tag_name"] for one in hub.releases.values() if "body" not in one] == ["v1", "early", "same"]


def test_issues_are_grouped_by_their_labels(hub: Releases, tmp_path: Path) -> None:
    hub.add("v0")
    hub.commits[1:] = [("c2", "#1 #2 #3 other/app#4 #99"), ("c3", "#5 #6")]
    hub.issues = {
        1: issue("Broken", "CLOSED", "Bug"),
        2: issue("Still open", "OPEN", "bug"),
        3: issue("Idea", "OPEN", "feature", "bug"),
        5: issue("Merged", "MERGED", "bug", kind="PullRequest"),
        6: issue("Dropped", "CLOSED", "bug", kind="PullRequest"),
    }
    labels = [
        {"label": "bug", "displayName": "Bugs", "state": "closed"},
        {"label": "feature", "displayName": "Features"},
    ]
    inputs = PLAIN | {"addChangeLog": "true", "changeLogType": "issueBased"}
    outcome = release(
        hub, tmp_path, variables=None, cancellation=None, tell=None, **inputs, changeLogLabels=json.dumps(labels)
    )
    assert outcome.result is Result.SUCCEEDED, outcome.message
    assert hub.releases[102]["body"].splitlines()[4:] == [
        "",
        "### Bugs:",
        "",
        "* #5: Merged",
        "* #1: Broken",
        "",
        "### Features:",
        "",
        "* #3: Idea",
        "",
        "### Others:",
        "",
        "* #2: Still open",
        "",
        "This list of changes was auto generated.",
    ]
