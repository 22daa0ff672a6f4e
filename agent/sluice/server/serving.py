"""Listens: opens the socket, says where, and serves until it is told to stop."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import uvicorn

from sluice.errors import UsageError
from sluice.server.app import create_app
from sluice.server.sessions import make_link
from sluice.server.state import ServerState

if TYPE_CHECKING:
    from sluice.server.settings import ServerSettings
    from sluice.storage.home import Home

BACKLOG = 512
DRAIN_SECONDS = 10
"""How long requests that are under way may take once the server stops."""


def serve(settings: ServerSettings, say: Callable[[str], None], *, home: Home | None = None) -> None:
    """Serve until a signal comes. `say` is told the address, and a link that signs in whoever started it."""
    listener = _listen(settings.host, settings.port)
    with listener:
        port = int(listener.getsockname()[1])
        if port != settings.port:
            settings = replace(settings, port=port, public_url=settings.public_url if _chosen(settings) else "")
        state = ServerState.open(settings, home)
        try:
            server = _Server(_configuration(state, settings), state)
            say(f"Sluice serves {settings.collection_url}")
            link = make_link(state).reveal()
            say(f"Sign in with this link (once, within {int(settings.link_seconds / 60)} minutes):")
            say(f"  {settings.public_url}/sign-in?once={link}")
            sys.stdout.flush()
            server.run(sockets=[listener])
        finally:
            state.close()


class _Server(uvicorn.Server):
    """A server that lets go of those who only watch when it stops: they would keep it."""

    def __init__(self, config: uvicorn.Config, state: ServerState) -> None:
        super().__init__(config)
        self._state = state

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server`."""
        self._state.live.end()
        await super().shutdown(sockets)


def _chosen(settings: ServerSettings) -> bool:
    """Whether somebody said how the server is reached; else the address has the port that was asked for."""
    return not settings.public_url.endswith(f":{settings.port}") or settings.port != 0


def _configuration(state: ServerState, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(state),
        access_log=False,  # one-time links would stand in it
        log_level="warning",
        lifespan="on",
        server_header=False,
        date_header=True,
        proxy_headers=bool(settings.proxies),
        forwarded_allow_ips=list(settings.proxies),
        ssl_certfile=settings.certificate,
        ssl_keyfile=settings.key,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        h11_max_incomplete_event_size=64 * 1024,
        ws="none",
    )


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen at {host}:{port}",
            why=error.strerror or str(error),
            do="choose another --port; 0 takes one that is free",
        ) from error
    listener.set_inheritable(False)
    return listener
