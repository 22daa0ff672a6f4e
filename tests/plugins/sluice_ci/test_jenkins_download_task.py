from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.doubles.jenkins import Build, Jenkins, Job
from tests.doubles.web import Double

from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task

MULTIBRANCH = "org.jenkinsci.plugins.workflow.multibranch.WorkflowMultiBranchProject"


def built(text: bytes, result: str = "SUCCESS", timestamp: int = 0) -> Build:
    artifacts = {"out/app.txt": text, "out/deep/lib.bin": b"\0\1", "notes.md": b"notes"}
    return Build(artifacts=artifacts, result=result, known=1, timestamp=timestamp)


@pytest.fixture
def jenkins(serve: Callable[[Double], None]) -> Jenkins:
    double = Jenkins()
    job = double.jobs["job/team/job/app"] = Job()
    for build in (built(b"one"), built(b"two"), built(b"three", "FAILURE")):
        job.start(build)
    serve(double)
    return double


def download(jenkins: Jenkins, sources: Path, **inputs: str) -> TaskOutcome:
    values = {"username": "ada", "password": jenkins.tokens["ada"]}
    connection = make_connection("jenkins", "ci", url=f"{jenkins.url}{jenkins.prefix}", values=values)
    return run_task(
        "JenkinsDownloadArtifacts@2",
        inputs={"jobName": "team/app"} | inputs,
        connections={"serverEndpoint": connection},
        sources=sources,
    )


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_artifacts_of_the_last_successful_build_arrive(jenkins: Jenkins, tmp_path: Path) -> None:
    outcome = download(jenkins, tmp_path)
    assert outcome.result is Result.SUCCEEDED
    assert files(tmp_path) == {
        "jenkinsArtifacts/out/app.txt": b"two",
        "jenkinsArtifacts/out/deep/lib.bin": b"\0\1",
        "jenkinsArtifacts/notes.md": b"notes",
    }
    assert f"Successfully downloaded artifact to {tmp_path / 'jenkinsArtifacts'}" in outcome.lines
    assert "Found Jenkins job details jobName:team/app, buildId:2" in outcome.lines


def test_those_of_a_number_and_a_pattern_are_chosen(jenkins: Jenkins, tmp_path: Path) -> None:
    (tmp_path / "there" / "out").mkdir(parents=True)
    (tmp_path / "there" / "out" / "app.txt").write_text("before")
    outcome = download(
        jenkins,
        tmp_path,
        jenkinsBuild="BuildNumber",
        jenkinsBuildNumber="1",
        itemPattern="out/**\n!**/*.bin",
        saveTo="there",
    )
    assert outcome.result is Result.SUCCEEDED
    assert files(tmp_path) == {"there/out/app.txt": b"one"}


def test_branches_of_a_multibranch_pipeline_go_by_their_last_success(jenkins: Jenkins, tmp_path: Path) -> None:
    jenkins.jobs["job/multi"] = Job(kind=MULTIBRANCH)
    for name, when in (("main", 5), ("feature%2Fx", 9), ("empty", 0)):
        job = jenkins.jobs[f"job/multi/job/{name}"] = Job()
        if when:
            job.start(built(name.encode(), timestamp=when))
    assert download(jenkins, tmp_path, jobName="multi", saveTo="last").result is Result.SUCCEEDED
    assert files(tmp_path)["last/out/app.txt"] == b"feature%2Fx"
    for number, place in (("main/1", "a"), ("feature/x/1", "b"), ("feature%2Fx/1", "c")):
        outcome = download(
            jenkins, tmp_path, jobName="multi", saveTo=place, jenkinsBuild="BuildNumber", jenkinsBuildNumber=number
        )
        assert outcome.result is Result.SUCCEEDED, outcome.message
    assert [files(tmp_path)[f"{place}/out/app.txt"] for place in "abc"] == [b"main", b"feature%2Fx", b"feature%2Fx"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"jenkinsBuild": "BuildNumber", "jenkinsBuildNumber": "main/1"}, "Cannot parse the Jenkins Build number."),
        (
            {"jenkinsBuild": "BuildNumber", "jenkinsBuildNumber": "99"},
            "there is no build job/team/job/app/99/: 404 Not Found",
        ),
        ({"jenkinsBuild": "First"}, "jenkinsBuild is 'first', but must be"),
        ({"jobName": "team/missing"}, "there is no job 'team/missing'"),
        ({"jobName": "new"}, "Getting last successful build number failed: there is none"),
        ({"propagatedArtifacts": "true"}, "Downloading artifacts from Azure Storage is not supported"),
    ],
)
def test_what_cannot_be_downloaded_is_told(
    jenkins: Jenkins, tmp_path: Path, inputs: dict[str, str], message: str
) -> None:
    jenkins.jobs["job/new"] = Job()
    outcome = download(jenkins, tmp_path, **inputs)
    assert outcome.result is Result.FAILED
    assert message in outcome.message
    assert files(tmp_path) == {}


def test_a_build_without_artifacts_is_no_failure(jenkins: Jenkins, tmp_path: Path) -> None:
    jenkins.jobs["job/bare"] = Job(builds={1: Build(known=1)})
    outcome = download(jenkins, tmp_path, jobName="bare")
    assert outcome.result is Result.SUCCEEDED
    assert "No associated artifacts found" in outcome.lines


def test_an_archive_that_leaves_the_folder_is_refused(jenkins: Jenkins, tmp_path: Path) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/../../evil", b"x")
    jenkins.jobs["job/evil"] = Job(builds={1: Build(known=1, archive=content.getvalue())})
    outcome = download(jenkins, tmp_path, jobName="evil")
    assert "a name in it leaves the folder" in outcome.message
    assert files(tmp_path) == {}
