"""Starts a run of a pipeline that is known, from its page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Request
from starlette.responses import RedirectResponse, Response

from sluice.errors import SluiceError, UsageError
from sluice.runs import pipelines, starting
from sluice.server.problems import problem_of
from sluice.server.web import words
from sluice.server.web.pages_runs import show_runs
from sluice.server.web.rendering import home_of
from sluice.server.web.signed import Signed
from sluice.storage import projects

router = APIRouter(include_in_schema=False)

Text = Annotated[str, Form(max_length=100_000)]


@router.post("/{project}/_build/run")
def start(
    request: Request, project: str, caller: Signed, definition: Text, parameters: Text = "", variables: Text = ""
) -> Response:
    """Make a run; parameters and variables are lines of `name: value`."""
    try:
        with caller.database.read() as transaction:
            home = projects.find(transaction, project)
            pipeline = pipelines.get(transaction, home.id, definition, caller.guard)
        asked = starting.Asked(parameters=_lines(parameters), variables=_lines(variables))
        run = starting.start(caller.orchestrator, home, pipeline, asked, by=caller.name)
        caller.state.go_on(run.id)
    except SluiceError as error:
        status = problem_of(error).status
        return show_runs(request, caller, project, definition=definition, problem=error, status=status)
    return RedirectResponse(f"{home_of(caller, home.name)}/_build/results?buildId={run.id}", 303)


def _lines(text: str) -> dict[str, str]:
    found = {}
    for line in filter(str.strip, text.splitlines()):
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise UsageError(
                f"'{words.plain(line.strip())}' is no name with a value", do="write one 'name: value' a line"
            )
        found[name.strip()] = value.strip()
    return found
