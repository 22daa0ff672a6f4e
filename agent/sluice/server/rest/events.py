"""What services answer to checks that asked them: the event `TaskCompleted`, with the token that they were given."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.responses import Response

from sluice.errors import NotFoundError, NotPermittedError
from sluice.runs import check_callbacks
from sluice.secret import Secret
from sluice.server.authentication import credential_of, state_of, unauthenticated
from sluice.server.problems import bad_argument
from sluice.server.rest.bodies import Body, choice
from sluice.server.rest.call import nothing
from sluice.server.rest.routing import resource
from sluice.server.sessions import refuse_if_throttled
from sluice.server.state import ServerState

router = resource("distributedtask")
State = Annotated[ServerState, Depends(state_of)]
_RESULTS = ("succeeded", "succeededWithIssues", "failed", "canceled", "skipped", "abandoned")


class EventBody(Body):
    """An answer: `taskId` is the id of the check."""

    name: str = ""
    taskId: str = ""
    jobId: str = ""
    result: str | int | None = None


@router.post(
    "/{project}/_apis/distributedtask/hubs/{hub}/plans/{planId}/events", summary="The answer of a service to a check"
)
def answer(request: Request, state: State, project: str, hub: str, planId: str, body: EventBody) -> Response:
    """Record the answer; the token that shows it may do that is good for this check and no other."""
    if body.name.casefold() != "taskcompleted":
        raise bad_argument("the event that is taken is 'TaskCompleted'")
    address = request.client.host if request.client else ""
    refuse_if_throttled(state, address)
    token = credential_of(request)
    succeeded = choice(body.result, _RESULTS) in {"succeeded", "succeededWithIssues"}
    try:
        suite = check_callbacks.complete(
            state.database,
            state.clock,
            body.taskId.strip().casefold(),
            Secret(token),
            "succeeded" if succeeded else "failed",
        )
    except (NotFoundError, NotPermittedError):
        state.throttle.failed(address)
        raise unauthenticated(request, "this token answers no such check") from None
    state.go_on(suite.run_id)
    return nothing()
