"""Listens: opens the socket, says where, and serves until it is told to stop."""

from __future__ import annotations

import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import replace
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from sluice.errors import UsageError
from sluice.server.app import create_app
from sluice.server.driving import Engine
from sluice.server.sessions import make_link
from sluice.server.state import ServerState

if TYPE_CHECKING:
    from sluice.server.settings import ServerSettings
    from sluice.storage.home import Home

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
BACKLOG = 512
DRAIN_SECONDS = 5
"""How long requests that are under way may take once the server stops."""


def serve(settings: ServerSettings, say: Callable[[str], None], *, home: Home | None = None) -> None:
    """Serve until a signal comes. `say` is told the address, and a link that signs in whoever started it.

    The first signal ends it when the running jobs are over; further ones cancel these, and then end them at once.
    """
    listener = _listen(settings.host, settings.port)
    with listener:
        port = int(listener.getsockname()[1])
        if port != settings.port:
            settings = replace(settings, port=port, public_url=settings.public_url if _chosen(settings) else "")
        state = ServerState.open(settings, home)
        try:
            engine = state.engine = Engine(state)
            stopping = _Stopping(engine, say)
            server = _Server(_configuration(state, settings), state, stopping)
            say(f"Sluice serves {settings.collection_url}")
            link = make_link(state).reveal()
            say(f"Sign in with this link (once, within {int(settings.link_seconds / 60)} minutes):")
            say(f"  {settings.public_url}/sign-in?once={link}")
            sys.stdout.flush()
            engine.start()
            server.run(sockets=[listener])
            stopping.drain()
        finally:
            state.close()


class _Stopping:
    """What signals do to the engine."""

    def __init__(self, engine: Engine, say: Callable[[str], None]) -> None:
        self._engine = engine
        self._say = say
        self._count = 0

    def stop(self) -> None:
        """A signal has come."""
        self._count += 1
        if self._count == 1:
            self._engine.stop()
            if self._engine.driven:
                self._say("Stopping when the running jobs are over. Press Ctrl-C again to cancel them.")
        else:
            self._engine.interrupt()
            if self._count == 2:
                self._say("Canceling: steps with always() still run. Press Ctrl-C again to end them at once.")

    def drain(self) -> None:
        """Wait for what is carried out; signals go on to count meanwhile."""
        if not self._count:
            self._engine.stop()
        before = {number: signal.signal(number, lambda *_: self.stop()) for number in _SIGNALS}
        try:
            while not self._engine.wait(0.2):
                pass
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Server(uvicorn.Server):
    """A server whose signals are ours to answer, and that lets go of those who only watch when it stops."""

    def __init__(self, configuration: uvicorn.Config, state: ServerState, stopping: _Stopping) -> None:
        super().__init__(configuration)
        self._state = state
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop listening; the signal is not raised again, as it would be otherwise."""
        self.should_exit = True
        self._stopping.stop()

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
