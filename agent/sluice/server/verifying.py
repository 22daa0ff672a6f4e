"""Tries connections for those who use the server: within their rights, not too often, and not in inner networks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING

from sluice.connections import trying, verification
from sluice.hooks.networks import limited_to
from sluice.server.problems import Problem

if TYPE_CHECKING:
    from sluice.connections.connection import ConnectionRecord, Draft, Key, Update
    from sluice.secret import Secret
    from sluice.server.caller import Caller


def verify(caller: Caller, record: ConnectionRecord, *, instead: Mapping[Key, Secret] | None = None) -> str:
    """Try a stored connection; see `sluice.connections.verification.verify`."""
    with _limited(caller):
        return verification.verify(caller.connections, record, by=caller.name, instead=instead)


def try_draft(caller: Caller, project: str, draft: Draft) -> str:
    """Try a connection that is not stored; see `sluice.connections.trying.try_draft`."""
    with _limited(caller):
        return trying.try_draft(caller.connections, project, draft, by=caller.name)


def try_update(caller: Caller, record: ConnectionRecord, update: Update) -> str:
    """Try a connection as a change would leave it; see `sluice.connections.trying.try_update`."""
    with _limited(caller):
        return trying.try_update(caller.connections, record, update, by=caller.name)


@contextmanager
def _limited(caller: Caller) -> Iterator[None]:
    if wait := caller.state.tries.wait(caller.actor.id):
        raise Problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "RequestThrottledException",
            f"connections are tried too often: try again in {int(wait) + 1} seconds",
            {"Retry-After": str(int(wait) + 1)},
        )
    with limited_to(caller.state.settings.networks):
        yield
