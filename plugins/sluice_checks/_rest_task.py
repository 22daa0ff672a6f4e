"""`InvokeRESTAPI@1` in an agentless job: one request, and what its answer means for the step."""

from __future__ import annotations

import json

from sluice.plugin import Connection, Probe, Secret, TaskFailedError, TaskRun, basic
from sluice_checks._invocation import read_headers
from sluice_checks._rest_api import AZURE, address, bearer
from sluice_checks._types import BODY_METHODS, METHODS

SECONDS = 20.0
"""Documented: how long the service may take to answer."""
_ANSWER = 1 << 20
_SHOWN = 4096
_SELECTOR = "connectedServiceNameSelector"
_GENERIC = "connectedServiceName"


def run_task(run: TaskRun) -> None:
    """Ask the service; the step fails unless it answers 2xx and fulfils the success criteria."""
    if run.flag("waitForCompletion"):
        raise TaskFailedError(
            "waitForCompletion: true needs a server of Sluice that the service can call back",
            where=run.task,
            do="set waitForCompletion: false: the answer decides then",
        )
    selector = run.input(_SELECTOR).strip() or _GENERIC
    known = next((one for one in (_GENERIC, AZURE) if one.casefold() == selector.casefold()), "")
    if not known:
        raise TaskFailedError(
            f"{_SELECTOR} '{selector}' is not supported in agentless jobs yet",
            where=run.task,
            do=f"use a generic service connection ({_SELECTOR}: {_GENERIC}), or Azure's management API ({AZURE})",
        )
    connection = run.connection(known)
    method = (run.input("method").strip() or "POST").upper()
    if method not in METHODS:
        raise TaskFailedError(f"Invalid method '{method}'. The value must be one of: {', '.join(METHODS)}")
    url = address(connection, run.input("urlSuffix").strip())
    authorization = bearer(connection) if known == AZURE else _authorization(connection)
    probe = Probe(connection=connection, authorization=authorization, headers=_headers(run), seconds=SECONDS)
    body = run.input("body").encode() if method in BODY_METHODS else b""
    run.say(f"{method} {url}")
    answer = probe.ask(url, method=method, body=body, limit=_ANSWER + 1)
    run.say(f"Answer: {answer.shown}")
    text = answer.body[:_SHOWN].decode("utf-8", "replace")
    if text.strip():
        run.say(text + ("" if len(answer.body) <= _SHOWN else " ..."))
    if not answer.ok:
        raise TaskFailedError(f"{answer.origin} answered {answer.shown}", where=run.task)
    _judge(run, answer.body)


def _judge(run: TaskRun, body: bytes) -> None:
    criteria = run.input("successCriteria").strip()
    if not criteria:
        return
    if len(body) > _ANSWER:
        raise TaskFailedError("the answer is longer than 1 MiB, and the success criteria need all of it")
    try:
        root = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise TaskFailedError("the answer is no JSON, which the success criteria need", where=run.task) from error
    if not run.fulfils(criteria, root):
        raise TaskFailedError(f"the answer does not fulfil the success criteria: {criteria}", where=run.task)


def _authorization(connection: Connection) -> Secret | None:
    username, password = connection.text("username"), connection.secret("password")
    return basic(username, password) if username or password else None


def _headers(run: TaskRun) -> dict[str, str]:
    """Those of the input; without one the documented ones, as far as they have a value here."""
    if run.input("headers").strip():
        return read_headers(run.input("headers"))
    known = {
        "Content-Type": "application/json",
        "ProjectId": run.variable("System.TeamProjectId"),
        "HubName": run.variable("System.HostType"),
        "PlanId": run.variable("System.PlanId"),
        "JobId": run.variable("System.JobId"),
        "TimelineId": run.variable("System.TimelineId"),
        "TaskInstanceId": run.variable("System.TaskInstanceId"),
    }
    return {name: value for name, value in known.items() if value}
