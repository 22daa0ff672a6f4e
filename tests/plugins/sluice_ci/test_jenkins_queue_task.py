from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
from tests.conftest import Giver
from tests.doubles.jenkins import Build, Jenkins, Job
from tests.doubles.web import Double

from sluice.plugin import Connection
from sluice.runtime.cancellation import Cancellation
from sluice.runtime.request import Result
from sluice.testing.connections import make_connection
from sluice.testing.task_runner import TaskOutcome, run_task
from sluice_ci._jenkins import branch_path, job_path, path_of

TASK = "JenkinsQueueJob@2"


@pytest.fixture
def jenkins(serve: Callable[[Double], None]) -> Jenkins:
    double = Jenkins()
    double.jobs["job/app"] = Job()
    serve(double)
    return double


def connection(jenkins: Jenkins, password: str = "") -> Connection:
    values = {"username": "ada", "password": password or jenkins.passwords["ada"]}
    return make_connection("jenkins", "ci", url=f"{jenkins.url}{jenkins.prefix}/", values=values)


def queue(
    jenkins: Jenkins,
    more: Mapping[str, str] | None = None,
    *,
    password: str = "",
    cancellation: Cancellation | None = None,
    tell: Callable[[str], None] | None = None,
    **inputs: str,
) -> TaskOutcome:
    return run_task(
        TASK,
        inputs={"jobName": "app", "delayBetweenRetries": "0"} | inputs | dict(more or {}),
        connections={"serverEndpoint": connection(jenkins, password)},
        cancellation=cancellation,
        tell=tell,
    )


def test_a_job_is_queued_its_console_shown_and_its_end_waited_for(jenkins: Jenkins, evidence: Giver) -> None:
    jenkins.jobs["job/app"] = Job(planned=[Build(pieces=[b"compil", b"ing\nall is well\n"])], queue_polls=1)
    outcome = queue(jenkins)
    assert outcome.result is Result.SUCCEEDED
    assert outcome.outputs == {"JENKINS_JOB_ID": "1"}
    text = outcome.log
    order = [
        "Jenkins job queued",
        "Jenkins job pending: In the quiet period",
        "Jenkins job started: app",
        "compiling\nall is well\n",
        "Jenkins job finished: app",
        "app #1 succeeded",
        "Jenkins pipeline complete",
    ]
    assert [text.index(one) for one in order] == sorted(text.index(one) for one in order)
    assert f"{jenkins.url}/jenkins/job/app/1/" in outcome.lines
    evidence("jenkins", "UsernamePassword", "used", "Jenkins (double)", task=TASK)


def test_an_api_token_needs_no_session_and_a_server_may_have_no_crumbs(jenkins: Jenkins) -> None:
    assert queue(jenkins, password=jenkins.tokens["ada"]).result is Result.SUCCEEDED
    jenkins.crumbs = False
    assert queue(jenkins).result is Result.SUCCEEDED


def test_parameters_arrive_as_written(jenkins: Jenkins) -> None:
    job = jenkins.jobs["job/app"] = Job(parameters={"target": ("test", "live"), "note": ()})
    written = "target = live\nnote=a=b & c%ü\n"
    outcome = queue(jenkins, isParameterizedJob="true", jobParameters=written)
    assert outcome.result is Result.SUCCEEDED
    assert job.builds[1].parameters == {"target": "live", "note": "a=b & c%ü"}


def test_a_line_that_is_no_parameter_is_named_and_not_shown(jenkins: Jenkins) -> None:
    outcome = queue(jenkins, parameterizedJob="true", jobParameters="target=live\nhush-hush")
    assert outcome.result is Result.FAILED
    assert "line 2 of them is not" in outcome.message
    assert "hush-hush" not in outcome.log
    assert jenkins.calls == []


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"parameterizedJob": "true", "jobParameters": "target=elsewhere"}, "500 Internal Server Error (set param"),
        ({}, "Job creation failed.: 400 Bad Request (set parameterizedJob for a job that has parameters"),
        ({"jobName": "missing"}, "there is no such job: 404 Not Found (jobName is written with its folders"),
        ({"jobName": "../app"}, "Invalid job name '../app'"),
        ({"retryCount": "many"}, "input 'retryCount' is not a whole number"),
    ],
)
def test_why_nothing_was_queued_is_told(jenkins: Jenkins, inputs: dict[str, str], message: str) -> None:
    jenkins.jobs["job/app"] = Job(parameters={"target": ("test", "live")})
    outcome = queue(jenkins, inputs)
    assert outcome.result is Result.FAILED
    assert message in outcome.message
    assert jenkins.jobs["job/app"].builds == {}


def test_a_missing_permission_to_build_and_wrong_credentials_are_told_apart(jenkins: Jenkins) -> None:
    jenkins.builders.clear()
    assert "give the account the permission Job/Build" in queue(jenkins).message
    wrong = queue(jenkins, password="wrong-pass-0666")
    assert "Jenkins does not accept the credentials" in wrong.message
    assert "wrong-pass-0666" not in wrong.log


def test_folders_and_branches_of_multibranch_pipelines_are_found(jenkins: Jenkins) -> None:
    jenkins.jobs["job/team x/job/app/job/feature%2Fnew"] = Job()
    outcome = queue(jenkins, jobName="team x/app", isMultibranchJob="true", multibranchPipelineBranch="feature/new")
    assert outcome.result is Result.SUCCEEDED
    assert jenkins.jobs["job/team x/job/app/job/feature%2Fnew"].builds.keys() == {1}


def test_without_the_console_nobody_waits_for_the_end(jenkins: Jenkins) -> None:
    jenkins.jobs["job/app"].planned = [Build(pieces=[b"x"] * 1000, result="FAILURE")]
    outcome = queue(jenkins, captureConsole="false")
    assert (outcome.result, outcome.outputs) == (Result.SUCCEEDED, {"JENKINS_JOB_ID": "1"})
    assert not any("logText" in call.path for call in jenkins.calls)


@pytest.mark.parametrize(
    ("result", "strict", "message"),
    [
        ("FAILURE", "false", "Jenkins job failed: app #1 failed"),
        ("ABORTED", "false", "Jenkins job failed: app #1 aborted"),
        ("NOT_BUILT", "false", "Jenkins job failed: app #1 not built"),
        ("UNSTABLE", "true", "Jenkins job failed: app #1 unstable"),
        ("UNSTABLE", "false", ""),
    ],
)
def test_the_task_ends_as_the_build_does(jenkins: Jenkins, result: str, strict: str, message: str) -> None:
    jenkins.jobs["job/app"].planned = [Build(result=result)]
    outcome = queue(jenkins, capturePipeline="false", failOnUnstableResult=strict)
    assert outcome.result is (Result.FAILED if message else Result.SUCCEEDED)
    assert message in outcome.message


def test_builds_downstream_are_followed_once_each(jenkins: Jenkins) -> None:
    jobs = jenkins.jobs
    jobs["job/app"].downstream = ["job/left", "job/right", "job/off"]
    jobs["job/left"] = Job(planned=[Build(pieces=[b"on the left\n"])], downstream=["job/last"])
    jobs["job/right"] = Job(planned=[Build(pieces=[b"on the right\n"])])
    jobs["job/off"] = Job(color="disabled")
    jobs["job/last"] = Job(planned=[Build(pieces=[b"at last\n"], result="FAILURE")])
    jobs["job/left"].start(Build(pieces=[b"of somebody else\n"]))
    outcome = queue(jenkins)
    assert outcome.result is Result.FAILED
    assert "Jenkins pipeline failed: last #1 failed" in outcome.message
    assert [line for line in outcome.lines if line.startswith(("on the", "at last"))] == [
        "on the left",
        "on the right",
        "at last",
    ]
    assert "of somebody else" not in outcome.log
    assert "left #2 succeeded" in outcome.lines


def test_troubles_on_the_way_pass_as_often_as_allowed(jenkins: Jenkins) -> None:
    jenkins.failures = [503, 502]
    outcome = queue(jenkins, retryCount="2")
    assert outcome.result is Result.SUCCEEDED
    assert "Connection error. Retrying again in 0 seconds. Retry 2 out of 2" in outcome.lines
    jenkins.failures = [503, 502, 500]
    assert "Jenkins answered with an error: 500" in queue(jenkins, retryCount="2").message
    jenkins.failures = [401]
    assert "does not accept the credentials" in queue(jenkins, retryCount="2").message


def test_a_build_that_was_taken_off_the_queue_fails_the_task(jenkins: Jenkins) -> None:
    jenkins.canceled = True
    assert "Jenkins job canceled." in queue(jenkins).message


def test_a_cancellation_ends_the_waiting(jenkins: Jenkins) -> None:
    jenkins.jobs["job/app"].planned = [Build(pieces=[b"line\n"] * 100_000)]
    cancellation = Cancellation()

    def tell(line: str) -> None:
        if line == "line":
            cancellation.cancel()

    outcome = queue(jenkins, cancellation=cancellation, tell=tell)
    assert outcome.result is Result.CANCELED
    assert outcome.lines.count("line") == 1


def test_what_the_console_says_is_no_command_and_secrets_in_it_are_masked(jenkins: Jenkins) -> None:
    secret = jenkins.passwords["ada"].encode()
    piece = b"##vso[task.setvariable variable=x]1\n" + secret + b"\n\x1b[8mha:AAAA==\x1b[0m\x1b[32mgreen\x1b[0m [1a]\n"
    jenkins.jobs["job/app"].planned = [Build(pieces=[piece])]
    outcome = queue(jenkins)
    assert outcome.variables == {}
    assert secret.decode() not in outcome.log
    assert "green [1a]" in outcome.lines


def test_paths_of_jobs() -> None:
    assert job_path("/a b/c%2Fd/") == "job/a%20b/job/c%2Fd/"
    assert branch_path("job/a/", "feature/x") == "job/a/job/feature%252Fx/"
    assert path_of("https://ci/jenkins/job/a%20b/job/c/") == "job/a%20b/job/c/"
    assert path_of("https://ci/view/all/") == ""
