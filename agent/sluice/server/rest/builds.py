"""Runs in the view of builds: queue, list, get, cancel, retry."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Query
from starlette.responses import Response

from sluice.authorization.roles import PIPELINE
from sluice.errors import ConflictError
from sluice.runs import starting
from sluice.runs.retrying import retry as make_ready
from sluice.server.problems import bad_argument
from sluice.server.rest.bodies import MAX_NUMBER, Body, Number, choice
from sluice.server.rest.call import Call, growing
from sluice.server.rest.lookups import pipeline_of, run_of
from sluice.server.rest.routing import call_of, resource
from sluice.server.rest.run_views import build_view
from sluice.storage import records, requests, run_tags, runs
from sluice.storage.engine import Transaction
from sluice.storage.projects import Project
from sluice.storage.runs import RunRow, Wanted

router = resource("build")
Here = Annotated[Call, Depends(call_of("0cd358e1-9217-4d94-8269-1c1ee6f93dcf"))]

STATUSES = ("none", "inProgress", "completed", "", "cancelling", "", "", "", "postponed")
_DEFAULT_TOP = 1000
MAX_TOP = 5000
_RESULTS = {
    "succeeded": ("Succeeded",),
    "partiallysucceeded": ("SucceededWithIssues",),
    "failed": ("Failed", "Abandoned"),
    "canceled": ("Canceled",),
}
_NUMBERS = {"2": "succeeded", "4": "partiallysucceeded", "8": "failed", "32": "canceled"}
_STATUS_NUMBERS = {
    "1": "inprogress",
    "2": "completed",
    "4": "cancelling",
    "8": "postponed",
    "32": "notstarted",
    "47": "all",
}


class ReferenceBody(Body):
    """What is meant by its number."""

    id: int | None = None


class BuildBody(Body):
    """A build to be queued; `parameters` is a JSON object in a text."""

    definition: ReferenceBody | None = None
    sourceBranch: str | None = None
    sourceVersion: str | None = None
    parameters: str | None = None
    templateParameters: dict[str, Any] | None = None
    reason: str | int | None = None
    priority: str | int | None = None


class ChangeBody(Body):
    """What is to become of a build: `status` is `cancelling`."""

    status: str | int | None = None


@router.post("/{project}/_apis/build/builds", summary="Queue a build")
def queue(
    call: Here, project: str, body: BuildBody, definitionId: Annotated[int, Query(ge=0, le=MAX_NUMBER)] = 0
) -> Response:
    """Make a run of a definition, which goes on by itself."""
    number = (body.definition.id if body.definition else 0) or definitionId
    if not number or not 0 < number <= MAX_NUMBER:
        raise bad_argument("the build names no definition: give definition.id")
    caller = call.caller
    with caller.database.read() as transaction:
        home = call.project(transaction, project)
        pipeline = pipeline_of(call, transaction, home, number)
    asked = starting.Asked(
        parameters=body.templateParameters or {}, variables=_variables(body.parameters), branch=body.sourceBranch or ""
    )
    made = starting.start(caller.orchestrator, home, pipeline, asked, by=caller.name)
    caller.state.go_on(made.id)
    return call.reply(build_view(call, home, made, waits=False))


@router.get("/{project}/_apis/build/builds", summary="The builds of a project")
def list_builds(
    call: Here,
    project: str,
    definitions: str = "",
    buildNumber: str = "",
    minTime: datetime | None = None,
    maxTime: datetime | None = None,
    requestedFor: str = "",
    statusFilter: str = "",
    resultFilter: str = "",
    tagFilters: str = "",
    branchName: str = "",
    buildIds: str = "",
    queryOrder: str = "",
    continuationToken: str = "",
    top: Annotated[int, Query(alias="$top", ge=1, le=MAX_TOP)] = _DEFAULT_TOP,
) -> Response:
    """List the builds that the caller sees, newest first."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        wanted = _wanted(
            pipeline_ids=_ids(definitions) if definitions else None,
            ids=_ids(buildIds) if buildIds else None,
            before=_number(continuationToken),
            name=buildNumber,
            requested_by=requestedFor,
            since=minTime.timestamp() if minTime else None,
            until=maxTime.timestamp() if maxTime else None,
            tags=tuple(tag for tag in tagFilters.split(",") if tag.strip()),
            oldest_first=queryOrder.casefold().endswith("ascending"),
            status=statusFilter,
            result=resultFilter,
        )
        ids = runs.search_ids(transaction, home.id, wanted, limit=top + 1)
    more = str(ids[top - 1]) if len(ids) > top else ""
    return call.listing(_listed(call, home, ids[:top], branchName), continuation=more)


def _listed(call: Call, home: Project, ids: Sequence[int], branch: str) -> Iterator[list[dict[str, Any]]]:
    """These builds as they are shown, as far as the caller sees them, in batches that grow."""
    short = branch.removeprefix("refs/heads/")
    with call.caller.database.read() as transaction:
        seen = call.caller.guard.seen(transaction, home.id, PIPELINE)
        for some in growing(ids):
            by_id = {run.id: run for run in runs.get_many(transaction, some)}
            kept = [by_id[one] for one in some if one in by_id and seen(str(by_id[one].pipeline_id))]
            yield [
                build_view(call, home, run, waits=_waits(transaction, run))
                for run in kept
                if not branch or run.options.get("branch", "").removeprefix("refs/heads/") == short
            ]


@router.get("/{project}/_apis/build/builds/{buildId}", summary="A build")
def get_build(call: Here, project: str, buildId: Number) -> Response:
    """Get a build."""
    with call.caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = run_of(call, transaction, home, buildId)
        shown = build_view(call, home, found, waits=_waits(transaction, found))
        shown["tags"] = list(run_tags.of_run(transaction, found.id))
    return call.reply(shown)


@router.patch("/{project}/_apis/build/builds/{buildId}", summary="Cancel or retry a build")
def change(call: Here, project: str, buildId: Number, body: ChangeBody, retry: bool = False) -> Response:
    """Cancel a build, or run its failed parts again."""
    caller = call.caller
    with caller.database.read() as transaction:
        home = call.project(transaction, project)
        found = run_of(call, transaction, home, buildId)
    if retry:
        make_ready(caller.orchestrator, found.id)
        caller.state.go_on(found.id)
    elif choice(body.status, STATUSES) == "cancelling":
        if found.state == "completed":
            raise ConflictError(f"build {found.id} is over")
        if not found.cancel_requested_by:  # asked twice it would end at once
            caller.decisions.cancel(found.id)
            caller.state.go_on(found.id)
    else:
        raise bad_argument("a build can be changed to status 'cancelling', or be run again with retry=true")
    return get_build(call, project, buildId)


def _wanted(*, status: str, result: str, **given: Any) -> Wanted:
    results = tuple(one for name in result.split(",") if name.strip() for one in _result(name))
    state = ""
    states = {_STATUS_NUMBERS.get(name.strip(), name.strip().casefold()) for name in status.split(",") if name.strip()}
    if states and "all" not in states:
        over, going = "completed" in states, bool(states - {"completed", "none", "postponed"})
        state = "" if over and going else "completed" if over else "inProgress"
        if not over and not going:
            given["ids"] = ()
    return Wanted(state=state, results=results, **given)


def _result(name: str) -> tuple[str, ...]:
    key = _NUMBERS.get(name.strip(), name.strip().casefold())
    return _RESULTS.get(key, ("none",))


def _waits(transaction: Transaction, run: RunRow) -> bool:
    """Whether a run has not begun: it waits, and none of its stages has started."""
    if run.state == "completed" or not requests.of_run(transaction, run.id, state="running"):
        return False
    stages = records.of_run(transaction, run.id, kinds=("Stage",))
    return all(stage.state in {"pending", "waiting"} for stage in stages)


def _variables(text: str | None) -> dict[str, str]:
    if not text:
        return {}
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise bad_argument("'parameters' is no JSON object in a text") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise bad_argument("'parameters' is a JSON object of texts")
    return found


def _ids(text: str) -> tuple[int, ...]:
    return tuple(_number(one) for one in text.split(",") if one.strip())


def _number(text: str) -> int:
    text = text.strip()
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal()) or int(text[:18]) > MAX_NUMBER:
        raise bad_argument(f"'{text[:40]}' is no number of what is meant")
    return int(text)
