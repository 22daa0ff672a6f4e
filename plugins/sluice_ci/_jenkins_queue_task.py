"""`JenkinsQueueJob@2`: queue a job of Jenkins and follow it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from sluice.plugin import Answer, TaskFailedError, TaskRun, VerificationError
from sluice_ci._jenkins import PRODUCT, Jenkins, branch_path, job_path
from sluice_ci._jenkins_builds import Build, Follower
from sluice_ci._service import Patience
from sluice_ci._words import printable

_ITEM = re.compile(r"/queue/item/([0-9]{1,18})/?$")


def queue_job(run: TaskRun) -> None:
    """Queue the job; follow it to its end when its console is captured."""
    jenkins = Jenkins(run.connection("serverEndpoint"))
    path = job_path(run.required("jobName"))
    if run.flag("isMultibranchJob"):
        path = branch_path(path, run.required("multibranchPipelineBranch"))
    parameters = _parameters(run) if run.flag("parameterizedJob") else None
    follower = Follower(
        run=run,
        jenkins=jenkins,
        patience=Patience(run),
        retries=_number(run, "retryCount", 3),
        retry_seconds=_number(run, "delayBetweenRetries", 60),
    )
    item = _submit(jenkins, path, parameters)
    run.say("Jenkins job queued")
    build = _started(follower, path, item)
    run.set_variable("JENKINS_JOB_ID", str(build.number), output=True)
    if not run.flag("captureConsole"):
        run.say(f"{jenkins.root}{build.path}")
        return
    downstream = run.flag("capturePipeline")
    follower.follow(build, pass_unstable=not run.flag("failOnUnstableResult"), downstream=downstream)
    run.say("Jenkins pipeline complete" if downstream else "Jenkins job complete")


def _number(run: TaskRun, name: str, default: int) -> int:
    return run.number(name) if run.input(name).strip() else default


def _parameters(run: TaskRun) -> Mapping[str, str]:
    found = {}
    for number, line in enumerate(run.lines("jobParameters"), 1):
        name, equals, value = line.partition("=")
        if not equals or not name.strip():
            raise TaskFailedError(  # the line itself may hold a secret
                'Job parameters should be specified as "parameterName=parameterValue" with one name, value pair per line.',
                where=run.task,
                why=f"line {number} of them is not",
            )
        found[name.strip()] = value.strip()
    return found


def _submit(jenkins: Jenkins, path: str, parameters: Mapping[str, str] | None) -> int:
    """The number of the item in Jenkins' queue."""
    action = "build" if parameters is None else "buildWithParameters"
    headers = {**jenkins.crumb(), "Content-Type": "application/x-www-form-urlencoded"}
    body = urlencode(parameters or {}).encode()
    answer = jenkins.ask(f"{path}{action}?delay=0sec", method="POST", body=body, headers=headers)
    found = _ITEM.search(answer.headers.get("location", ""))
    if answer.status != 201 or not found:
        raise _not_queued(jenkins, answer)
    # Only the number counts: Jenkins may believe that its address is another one than ours.
    return int(found[1])


def _not_queued(jenkins: Jenkins, answer: Answer) -> VerificationError | TaskFailedError:
    where = jenkins.connection.name
    if answer.status == 403 and b"No valid crumb" in answer.body:
        what, why = "Jenkins refused the crumb of the request", answer.shown
        return TaskFailedError(what, where=where, why=why, do="use an API token in place of the account's password")
    if answer.status == 403:
        do = "in Jenkins, give the account the permission Job/Build"
        return TaskFailedError("Job creation failed.", where=where, why=answer.shown, do=do)
    if answer.status == 404:
        do = "jobName is written with its folders, as folder/job; a branch of a multibranch pipeline needs isMultibranchJob"
        return TaskFailedError("Job creation failed: there is no such job", where=where, why=answer.shown, do=do)
    if answer.status in {400, 405, 500}:
        do = "set parameterizedJob for a job that has parameters, and only then; a choice must be one of the job's"
        return TaskFailedError("Job creation failed.", where=where, why=answer.shown, do=do)
    if answer.ok or 300 <= answer.status < 400:
        return TaskFailedError("Job creation failed.", where=where, why=f"{answer.shown} is not the answer of a queue")
    return PRODUCT.refusal(jenkins.connection, answer)


def _started(follower: Follower, path: str, item: int) -> Build:
    """The build that the item becomes once Jenkins has a free executor."""
    said = ""
    for seconds in follower.pace:
        body = follower.json(f"queue/item/{item}/api/json")
        if body.get("cancelled") or body.get("canceled"):
            raise TaskFailedError("Jenkins job canceled.", where=follower.run.task)
        executable = body.get("executable")
        if isinstance(executable, Mapping) and isinstance(executable.get("number"), int):
            task = body.get("task")
            name = printable(task.get("name", path)) if isinstance(task, Mapping) else path
            return Build(path, name, executable["number"])
        why = printable(body.get("why") or "")
        if why and why != said:
            follower.run.say(f"Jenkins job pending: {why}")
            said = why
        follower.patience.wait(seconds)
    raise AssertionError("the pace has no end")
