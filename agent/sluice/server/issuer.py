"""Sluice as an issuer of identity tokens: its two public documents, and tokens for jobs.

A token is given to the job that uses the connection at that moment, and to nobody else: the job's own token tells which
job asks, the usage history whether one of its steps has the connection open, and what permits that is asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from starlette.responses import Response

from sluice.connections.federation import DISCOVERY_PATH, ISSUER_VARIABLE, KEYS_PATH, Federation
from sluice.errors import NotPermittedError, UsageError
from sluice.runs.identifiers import shown
from sluice.runs.jobs import access_of, locate
from sluice.runs.timeline import Timeline
from sluice.server.problems import not_found
from sluice.server.rest.envelope import encode
from sluice.storage import usage

if TYPE_CHECKING:
    from sluice.secret import Secret
    from sluice.server.job_tokens import JobIdentity
    from sluice.server.state import ServerState

router = APIRouter(tags=["issuer"])
_JSON = "application/json"
_PUBLIC = {"cache-control": "public, max-age=3600"}


def federation_of(state: ServerState) -> Federation:
    """The issuer of this server: its address is the public one, unless the environment names another."""
    return state.store().federation


@router.get(DISCOVERY_PATH, summary="The issuer's discovery document")
def discovery(request: Request) -> Response:
    """Tell where the keys are; nobody has to be signed in to read it."""
    federation = federation_of(request.app.state.sluice)
    try:
        return Response(encode(dict(federation.discovery())), media_type=_JSON, headers=_PUBLIC)
    except UsageError:
        raise not_found(f"this server has no address as an issuer: {ISSUER_VARIABLE} is not set") from None


@router.get(KEYS_PATH, summary="The issuer's public keys")
def keys(request: Request) -> Response:
    """Tell the public keys that tokens are signed with, or soon will be."""
    return Response(encode(dict(federation_of(request.app.state.sluice).key_set())), media_type=_JSON, headers=_PUBLIC)


def token_for(state: ServerState, identity: JobIdentity, connection_id: str) -> Secret:
    """An identity token for a connection that a step of the job has open; raises `NotPermittedError` otherwise."""
    run, job = identity.run, identity.job
    store = state.store()
    orchestrator = state.orchestrator(store)
    with state.database.read() as transaction:
        use = usage.in_use(
            transaction,
            connection_id,
            project_id=run.project_id,
            run_id=run.id,
            job=shown(job.identifier),
            actor=run.requested_by,
        )
        loaded = orchestrator.load(transaction, run.id)
        position = locate(loaded, Timeline(loaded.situation.records, loaded.situation.steps), job)
    if use is None:
        raise NotPermittedError(
            f"no step of this job uses the service connection '{connection_id[:80]}' now",
            why="a token is for the job that has the connection open, as long as it has",
        )
    access = access_of(orchestrator, loaded, position)
    return store.federated_token(run.project_id, connection_id, use, check=access.check_again(use, job.id))
