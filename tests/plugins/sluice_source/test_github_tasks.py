"""`GitHubComment@0` and `DownloadGitHubRelease@0`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doubles.github_releases import TOKEN, Releases
from tests.doubles.web import Double

from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task


@pytest.fixture
def hub(serve: Callable[[Double], None]) -> Releases:
    double = Releases()
    serve(double)
    return double


def comment(hub: Releases, variables: dict[str, str] | None = None, **inputs: str) -> TaskOutcome:
    connection = make_connection("github", "hub", url=hub.url, scheme="Token", values={"AccessToken": TOKEN})
    return run_task(
        "GitHubComment@0",
        inputs={"repositoryName": "octo/app"} | inputs,
        connections={"gitHubConnection": connection},
        variables=variables or {},
    )


def test_a_comment_is_written_where_the_number_says_or_on_the_pull_request_that_is_built(hub: Releases) -> None:
    assert comment(hub, id="5", comment='Größe "5"\nx').result is Result.SUCCEEDED
    built = {"Build.SourceBranch": "refs/pull/5/merge", "GITHUB_COMMENT": "From a variable."}
    assert comment(hub, built).lines == ["Writing comment succeeded"]
    assert hub.comments[5] == ['Größe "5"\nx', "From a variable."]


@pytest.mark.parametrize("inputs", [{"comment": "x"}, {"id": "5"}, {"id": "5", "comment": "  "}])
def test_nothing_to_write_or_nowhere_is_no_failure(hub: Releases, inputs: dict[str, str]) -> None:
    outcome = comment(hub, {"Build.SourceBranch": "refs/heads/main"}, **inputs)
    assert outcome.result is Result.SUCCEEDED
    assert "the PR/Issue ID is not provided" in outcome.log
    assert hub.calls == []


def test_a_comment_that_is_refused_fails_the_task(hub: Releases) -> None:
    assert (
        "Writing comment failed: hub: octo/app is not there, or has no such thing"
        in comment(hub, id="6", comment="x").message
    )
    assert "'x' is no number" in comment(hub, id="x", comment="x").message
    hub.forbidden = True
    assert "the token lacks a scope or permission" in comment(hub, id="5", comment="x").message


def download(
    hub: Releases,
    sources: Path,
    cancellation: Cancellation | None = None,
    tell: Callable[[str], None] | None = None,
    **inputs: str,
) -> TaskOutcome:
    connection = make_connection("github", "hub", url=hub.url, scheme="Token", values={"AccessToken": TOKEN})
    return run_task(
        "DownloadGitHubRelease@0",
        inputs={"userRepository": "octo/app", "downloadPath": "got"} | inputs,
        connections={"connection": connection},
        sources=sources,
        cancellation=cancellation,
        tell=tell,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def released(hub: Releases) -> Releases:
    for tag, prerelease in (("v1", False), ("v2/x", False), ("v3", True)):
        made = hub.add(tag, prerelease=prerelease, name=f"Release {tag}")
        for name in ("app.zip", "app.zip.sig", "notes.md"):
            hub.attach(made, name, f"{tag} {name}".encode() * 50_000)
    return hub


def test_the_assets_of_the_latest_release_arrive_from_where_github_keeps_them(
    released: Releases, serve: Callable[[Double], None], tmp_path: Path
) -> None:
    serve(released.storage)
    outcome = download(released, tmp_path)
    assert outcome.result is Result.SUCCEEDED, outcome.message
    assert set(files(tmp_path)) == {"got/app.zip", "got/app.zip.sig", "got/notes.md"}
    assert files(tmp_path)["got/app.zip"] == b"v2/x app.zip" * 50_000
    (tmp_path / "plain").touch()
    assert (tmp_path / "got" / "app.zip").stat().st_mode == (tmp_path / "plain").stat().st_mode
    assert outcome.lines[-1] == f"Successfully downloaded release assets to '{tmp_path / 'got'}'"
    assert "sig=signed" not in outcome.log


@pytest.mark.parametrize(
    ("inputs", "got"),
    [
        ({"defaultVersionType": "specificVersion", "version": "101", "itemPattern": "**/*.zip"}, b"v1 app.zip"),
        ({"defaultVersionType": "specificTag", "version": "v2/x", "itemPattern": "**\n!*.sig\n!*.md"}, b"v2/x app.zip"),
        ({"version": "v3", "itemPattern": "app.zip"}, b"v3 app.zip"),
    ],
)
def test_releases_go_by_number_or_tag_and_assets_by_pattern(
    released: Releases, tmp_path: Path, inputs: dict[str, str], got: bytes
) -> None:
    outcome = download(released, tmp_path, None, None, **inputs)
    assert outcome.result is Result.SUCCEEDED, outcome.message
    assert files(tmp_path) == {"got/app.zip": got * 50_000}


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        (
            {"defaultVersionType": "specificTag", "version": "v9"},
            "The release version/tag input 'v9' is not valid: hub:",
        ),
        (
            {"defaultVersionType": "specificVersion", "version": "v1"},
            "'v1' is not valid (specificVersion takes the number",
        ),
        ({"defaultVersionType": "specificTag", "version": "../latest"}, "'../latest' is no name of a branch or a tag"),
        ({"defaultVersionType": "newest"}, "defaultVersionType is 'newest'"),
    ],
)
def test_a_release_that_is_not_there_is_told(
    released: Releases, tmp_path: Path, inputs: dict[str, str], message: str
) -> None:
    outcome = download(released, tmp_path, None, None, **inputs)
    assert outcome.result is Result.FAILED
    assert message in outcome.message


def test_a_name_that_is_no_file_name_is_refused(hub: Releases, tmp_path: Path) -> None:
    hub.attach(hub.add("v1"), "../evil", b"x")
    assert "the name of an asset is no file name: '../evil'" in download(hub, tmp_path).message
    assert files(tmp_path) == {}


def test_a_cancellation_leaves_no_half_file(released: Releases, tmp_path: Path) -> None:
    cancellation = Cancellation()

    def tell(line: str) -> None:
        if line.startswith("Downloading"):
            cancellation.cancel()

    assert download(released, tmp_path, cancellation, tell).result is Result.CANCELED
    assert files(tmp_path) == {}
